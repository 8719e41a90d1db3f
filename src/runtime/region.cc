// Part of the addon: the op BnTrainRegion, which runs a region of generated code over its inputs on TensorFlow's threads.
// It is written in TensorFlow's own C++, as the addon is compiled with the headers that lie beside the libraries.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../graph/fuse/region.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Some 50 µs, after which waiting is left to the system.
constexpr int kPatience = 1000;
constexpr std::chrono::microseconds kNap(50);

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// The chunks of all phases in their order. Whoever is free takes the next that can be begun, the caller too, so that it
// only ever waits for one that somebody is at; a phase begins when the one before it is done.
class Work {
 public:
  Work(const Region& region, int64_t chunks, int64_t rows, std::vector<const void*> in, std::vector<void*> out, char* scratch)
      : region_(region), chunks_(chunks), total_(region.phases * chunks), rows_(rows), in_(in), out_(out), scratch_(scratch) {}

  // The caller stays until all is done; a helper until nothing is left to take, or can be taken for a while.
  void Run(bool is_caller) {
    for (int idle = 0; is_caller ? done_.load(std::memory_order_acquire) < total_
                                 : taken_.load(std::memory_order_relaxed) < total_ && idle < kPatience;) {
      if (Take()) {
        idle = 0;
      } else if (++idle < kPatience) {
        Pause();
      } else {
        std::this_thread::sleep_for(kNap);
      }
    }
  }

 private:
  bool Take() {
    int64_t ticket = taken_.load(std::memory_order_relaxed);
    do {
      if (ticket >= total_ || done_.load(std::memory_order_acquire) < ticket - ticket % chunks_) return false;
    } while (!taken_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed));
    region_.run(ticket / chunks_, ticket % chunks_, chunks_, rows_, in_.data(), out_.data(), scratch_);
    done_.fetch_add(1, std::memory_order_acq_rel);
    return true;
  }

  const Region region_;
  const int64_t chunks_, total_, rows_;
  const std::vector<const void*> in_;
  const std::vector<void*> out_;
  // The caller's, as what the pointers lead to: nobody looks there after the last chunk.
  char* const scratch_;
  std::atomic<int64_t> taken_{0}, done_{0};
};

// Follows from shapes alone: sums are kept by chunk, and have the same bits for any number of threads.
int64_t ChunksFor(int64_t rows, int64_t bytes) {
  constexpr int64_t kBytes = 1 << 18, kMost = 16;  // less takes no longer than it takes to wake a thread
  return std::max<int64_t>(1, std::min({bytes / kBytes, kMost, rows}));
}

template <typename Context>
absl::Status ReadOutputs(Context* c, std::vector<TensorShape>* shapes, std::vector<int64_t>* forward) {
  TF_RETURN_IF_ERROR(c->GetAttr("shapes", shapes));
  TF_RETURN_IF_ERROR(c->GetAttr("forward", forward));
  const size_t outputs = c->num_outputs();
  if (shapes->size() == outputs && forward->size() == outputs) return absl::OkStatus();
  return absl::InvalidArgumentError("the shapes of a region are not those of its outputs");
}

class RegionOp : public tensorflow::OpKernel {
 public:
  explicit RegionOp(tensorflow::OpKernelConstruction* c) : OpKernel(c) {
    std::string file, symbol;
    OP_REQUIRES_OK(c, c->GetAttr("library", &file));
    OP_REQUIRES_OK(c, c->GetAttr("symbol", &symbol));
    OP_REQUIRES_OK(c, c->GetAttr("rows", &rows_));
    OP_REQUIRES_OK(c, ReadOutputs(c, &shapes_, &forward_));
    library_.reset(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (library_) region_ = static_cast<const Region*>(dlsym(library_.get(), symbol.c_str()));
    OP_REQUIRES(c, region_ != nullptr, absl::NotFoundError(dlerror()));
  }

  // Allocates outputs and scratch, and runs the region.
  void Compute(tensorflow::OpKernelContext* c) override {
    std::vector<const void*> in;
    std::vector<void*> out;
    int64_t bytes = 0;
    for (int i = 0; i < c->num_inputs(); ++i) {
      in.push_back(c->input(i).data());
      bytes += c->input(i).TotalBytes();
    }
    for (int i = 0; i < c->num_outputs(); ++i) {
      Tensor* output = nullptr;
      const int from = static_cast<int>(forward_[i]);
      OP_REQUIRES_OK(c, from < 0 ? c->allocate_output(i, shapes_[i], &output)
                                 : c->forward_input_or_allocate_output({from}, i, shapes_[i], &output));
      out.push_back(output->data());
      bytes += output->TotalBytes();
    }
    const int64_t chunks = ChunksFor(rows_, bytes);
    Tensor scratch;
    OP_REQUIRES_OK(c, c->allocate_temp(tensorflow::DT_UINT8, {region_->scratch_bytes(rows_, chunks)}, &scratch));
    const auto work = std::make_shared<Work>(*region_, chunks, rows_, in, out, static_cast<char*>(scratch.data()));
    // They are awake after a convolution.
    auto* const threads = c->device()->tensorflow_cpu_worker_threads()->workers;
    for (int64_t i = 1; i < std::min<int64_t>(chunks, threads->NumThreads()); ++i)
      threads->Schedule([work] { work->Run(false); });
    work->Run(true);
  }

 private:
  std::unique_ptr<void, int (*)(void*)> library_{nullptr, dlclose};
  const Region* region_ = nullptr;
  int64_t rows_ = 0;
  std::vector<TensorShape> shapes_;
  // By output: the input whose memory it may take over, or -1.
  std::vector<int64_t> forward_;
};

// TensorFlow's own fusing of products and convolutions needs to know shapes.
absl::Status InferShapes(InferenceContext* c) {
  std::vector<TensorShape> shapes;
  std::vector<int64_t> forward;
  TF_RETURN_IF_ERROR(ReadOutputs(c, &shapes, &forward));
  for (int i = 0; i < c->num_outputs(); ++i) {
    ShapeHandle shape;
    TF_RETURN_IF_ERROR(c->MakeShapeFromTensorShape(shapes[i], &shape));
    c->set_output(i, shape);
  }
  return absl::OkStatus();
}

REGISTER_OP("BnTrainRegion")
    .Attr("library: string")
    .Attr("symbol: string")
    .Attr("rows: int >= 0")
    .Attr("shapes: list(shape)")
    .Attr("forward: list(int)")
    .Attr("Tin: list(type) >= 0")
    .Attr("Tout: list(type) >= 1")
    .Input("inputs: Tin")
    .Output("outputs: Tout")
    .SetShapeFn(InferShapes);
REGISTER_KERNEL_BUILDER(Name("BnTrainRegion").Device(tensorflow::DEVICE_CPU), RegionOp);

}  // namespace
