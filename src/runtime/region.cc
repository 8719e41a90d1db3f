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
#include "variables.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/cpu_info.h"

namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

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

// The chunks of all phases, in as many parts as there are threads. Whoever is free takes the next of its own part, which lies
// in its core's cache from the phase before, or else of another one. The caller does so, too, and only ever waits for a
// chunk that somebody is at; a phase begins when the one before it is done.
class Work {
 public:
  Work(const Region& region, int64_t chunks, int64_t parts, int64_t rows, std::vector<const void*> in, std::vector<void*> out, char* scratch)
      : region_(region), chunks_(chunks), rows_(rows), in_(in), out_(out), scratch_(scratch), taken_(parts) {}

  // The caller stays until all is done; a helper until nothing is left to take, or can be taken for a while.
  void Run(bool is_caller) {
    const int64_t total = region_.phases * chunks_;
    for (int idle = 0; done_.load(std::memory_order_acquire) < total && (is_caller || idle < kPatience);) {
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
    const size_t home = std::max(0, tensorflow::port::GetCurrentCPU());
    for (size_t i = 0; i < taken_.size(); ++i)
      if (TakeOf((home + i) % taken_.size())) return true;
    return false;
  }

  bool TakeOf(int64_t part) {
    const int64_t parts = taken_.size(), first = chunks_ * part / parts, size = chunks_ * (part + 1) / parts - first;
    int64_t ticket = taken_[part].load(std::memory_order_relaxed);
    do {
      const int64_t phase = ticket / size;
      if (phase == region_.phases || done_.load(std::memory_order_acquire) < phase * chunks_) return false;
    } while (!taken_[part].compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed));
    region_.run(ticket / size, first + ticket % size, chunks_, rows_, in_.data(), out_.data(), scratch_);
    done_.fetch_add(1, std::memory_order_acq_rel);
    return true;
  }

  const Region region_;
  const int64_t chunks_, rows_;
  const std::vector<const void*> in_;
  const std::vector<void*> out_;
  // The caller's, as what the pointers lead to: nobody looks there after the last chunk.
  char* const scratch_;
  // By part: how many of its chunks somebody has begun with, over all phases.
  std::vector<std::atomic<int64_t>> taken_;
  std::atomic<int64_t> done_{0};
};

// Follows from shapes alone: sums are kept by chunk, and have the same bits for any number of threads.
int64_t ChunksFor(int64_t rows, int64_t bytes) {
  constexpr int64_t kBytes = 1 << 18, kMost = 16;  // less takes no longer than it takes to wake a thread
  return std::max<int64_t>(1, std::min({bytes / kBytes, kMost, rows}));
}

class RegionOp : public tensorflow::OpKernel {
 public:
  explicit RegionOp(tensorflow::OpKernelConstruction* c) : OpKernel(c) {
    std::string file, symbol;
    OP_REQUIRES_OK(c, c->GetAttr("library", &file));
    OP_REQUIRES_OK(c, c->GetAttr("symbol", &symbol));
    OP_REQUIRES_OK(c, c->GetAttr("rows", &rows_));
    OP_REQUIRES_OK(c, c->GetAttr("shapes", &shapes_));
    OP_REQUIRES_OK(c, c->GetAttr("forward", &forward_));
    const size_t outputs = c->num_outputs();
    OP_REQUIRES(c, shapes_.size() == outputs && forward_.size() == outputs,
                absl::InvalidArgumentError("the shapes of a region are not those of its outputs"));
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
    auto* const threads = c->device()->tensorflow_cpu_worker_threads()->workers;
    const int64_t chunks = ChunksFor(rows_, bytes), parts = std::min<int64_t>(chunks, threads->NumThreads());
    Tensor scratch;
    OP_REQUIRES_OK(c, c->allocate_temp(tensorflow::DT_UINT8, {region_->scratch_bytes(rows_, chunks)}, &scratch));
    const auto work =
        std::make_shared<Work>(*region_, chunks, parts, rows_, in, out, static_cast<char*>(scratch.data()));
    for (int64_t i = 1; i < parts; ++i) threads->Schedule([work] { work->Run(false); });
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
    // TensorFlow's own fusing of products and convolutions needs to know shapes.
    .SetShapeFn(tensorflow::shape_inference::ExplicitShapes);
REGISTER_KERNEL_BUILDER(Name("BnTrainRegion").Device(tensorflow::DEVICE_CPU), RegionOp);

}  // namespace
