// Part of the addon: the op BnTrainRegion, which runs a region of generated code over its inputs on TensorFlow's threads.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../graph/fuse/region.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/public/version.h"

namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;
using tensorflow::thread::ThreadPool;

using Status = std::unique_ptr<TF_Status, decltype(&TF_DeleteStatus)>;
using Tensor = std::unique_ptr<TF_Tensor, decltype(&TF_DeleteTensor)>;

Status NewStatus() { return Status(TF_NewStatus(), TF_DeleteStatus); }
bool IsOk(const Status& status) { return TF_GetCode(status.get()) == TF_OK; }

// The version of graphs that TensorFlow writes, which changes with nearly every day's work on it: the start of a VersionDef,
// in protocol buffers' format.
int64_t GraphVersion() {
  const std::unique_ptr<TF_Graph, decltype(&TF_DeleteGraph)> graph(TF_NewGraph(), TF_DeleteGraph);
  const std::unique_ptr<TF_Buffer, decltype(&TF_DeleteBuffer)> versions(TF_NewBuffer(), TF_DeleteBuffer);
  TF_GraphVersions(graph.get(), versions.get(), NewStatus().get());
  const auto* bytes = static_cast<const uint8_t*>(versions->data);
  int64_t producer = 0;
  for (size_t i = 1; i < versions->length; ++i) {
    producer |= int64_t{bytes[i] & 0x7f} << (7 * (i - 1));
    if (bytes[i] < 0x80) break;
  }
  return producer;
}

// The C API's contexts are TensorFlow's own by another name. It promises that to nobody, so what it does not offer is only
// used in the very version that this was compiled for.
bool IsKnownTensorflow() {
  static const bool known = GraphVersion() == TF_GRAPH_DEF_VERSION;
  return known;
}

// TensorFlow's threads for operations, which are awake after a convolution; none where they cannot be had.
ThreadPool* PoolOf(TF_OpKernelContext* context) {
  if (!IsKnownTensorflow()) return nullptr;
  const auto* device = reinterpret_cast<tensorflow::OpKernelContext*>(context)->device();
  const auto* threads = device->tensorflow_cpu_worker_threads();
  return threads == nullptr ? nullptr : threads->workers;
}

// Some 50 µs, after which waiting is left to the system.
constexpr int kPatience = 1000;

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
  Work(const Region& region, int64_t chunks, int64_t rows, const void* const* in, void* const* out, char* scratch)
      : region_(region), chunks_(chunks), total_(region.phases * chunks), rows_(rows), in_(in), out_(out), scratch_(scratch) {}

  // Returns when all is done.
  void Finish() {
    for (int64_t taken; done_.load(std::memory_order_acquire) < total_;) {
      if (Take()) continue;
      taken = taken_.load(std::memory_order_relaxed);
      const int64_t needed = taken - taken % chunks_;
      const auto is_done = [this, needed] { return done_.load(std::memory_order_acquire) >= needed; };
      for (int idle = 0; idle < kPatience && !is_done(); ++idle) Pause();
      std::unique_lock<std::mutex> lock(mutex_);
      phase_done_.wait(lock, is_done);
    }
  }

  // Returns when nothing is left to take, or can be taken for a while.
  void Help() {
    for (int idle = 0; idle < kPatience && taken_.load(std::memory_order_relaxed) < total_;) {
      if (Take()) {
        idle = 0;
      } else {
        ++idle;
        Pause();
      }
    }
  }

 private:
  bool Take() {
    int64_t ticket = taken_.load(std::memory_order_relaxed);
    do {
      if (ticket >= total_ || done_.load(std::memory_order_acquire) < ticket - ticket % chunks_) return false;
    } while (!taken_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed));
    region_.run(ticket / chunks_, ticket % chunks_, chunks_, rows_, in_, out_, scratch_);
    if ((done_.fetch_add(1, std::memory_order_acq_rel) + 1) % chunks_ == 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      phase_done_.notify_all();
    }
    return true;
  }

  const Region region_;
  const int64_t chunks_, total_, rows_;
  // The caller's: nobody looks at them after the last chunk.
  const void* const* const in_;
  void* const* const out_;
  char* const scratch_;
  std::atomic<int64_t> taken_{0}, done_{0};
  std::mutex mutex_;
  std::condition_variable phase_done_;
};

// Follows from shapes alone: sums are kept by chunk, and have the same bits for any number of threads.
int64_t ChunksFor(int64_t rows, int64_t bytes) {
  constexpr int64_t kBytes = 1 << 18, kMost = 16;  // less takes no longer than it takes to wake a thread
  return std::max<int64_t>(1, std::min({bytes / kBytes, kMost, rows}));
}

struct Kernel {
  std::string name;
  void* library = nullptr;
  const Region* region = nullptr;
  int64_t rows = 0;
  std::vector<std::vector<int64_t>> shapes;
  // By output: the input whose memory it may take over, or -1.
  std::vector<int64_t> forward;

  ~Kernel() {
    if (library != nullptr) dlclose(library);
  }
};

std::string TextAttr(TF_OpKernelConstruction* c, const char* name, TF_Status* status) {
  int32_t length = 0, size = 0;
  TF_OpKernelConstruction_GetAttrSize(c, name, &length, &size, status);
  std::string value(std::max(size, 0), '\0');
  if (TF_GetCode(status) == TF_OK) TF_OpKernelConstruction_GetAttrString(c, name, &value[0], value.size(), status);
  return value;
}

std::vector<int64_t> NumbersAttr(TF_OpKernelConstruction* c, const char* name, TF_Status* status) {
  int32_t length = 0, size = 0;
  TF_OpKernelConstruction_GetAttrSize(c, name, &length, &size, status);
  std::vector<int64_t> values(std::max(length, 0));
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt64List(c, name, values.data(), static_cast<int>(values.size()), status);
  return values;
}

// A list of shapes is written as numbers: each one's rank, then its sizes.
bool ReadShapes(const std::vector<int64_t>& numbers, std::vector<std::vector<int64_t>>* shapes) {
  for (size_t at = 0; at < numbers.size();) {
    const int64_t rank = numbers[at++];
    if (rank < 0 || rank > static_cast<int64_t>(numbers.size() - at)) return false;
    shapes->emplace_back(numbers.begin() + at, numbers.begin() + at + rank);
    at += rank;
  }
  return true;
}

void Load(TF_OpKernelConstruction* c, Kernel* kernel, TF_Status* status) {
  const std::string file = TextAttr(c, "library", status);
  kernel->name = TextAttr(c, "symbol", status);
  kernel->forward = NumbersAttr(c, "forward", status);
  const std::vector<int64_t> numbers = NumbersAttr(c, "shapes", status);
  TF_OpKernelConstruction_GetAttrInt64(c, "rows", &kernel->rows, status);
  if (TF_GetCode(status) != TF_OK) return;
  if (!ReadShapes(numbers, &kernel->shapes) || kernel->shapes.size() != kernel->forward.size())
    return TF_SetStatus(status, TF_INVALID_ARGUMENT, ("the shapes of " + kernel->name + " are not those of its outputs").c_str());
  kernel->library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (kernel->library != nullptr) kernel->region = static_cast<const Region*>(dlsym(kernel->library, kernel->name.c_str()));
  if (kernel->region == nullptr) TF_SetStatus(status, TF_NOT_FOUND, dlerror());
}

void* Create(TF_OpKernelConstruction* c) {
  auto kernel = std::make_unique<Kernel>();
  const Status status = NewStatus();
  Load(c, kernel.get(), status.get());
  if (IsOk(status)) return kernel.release();
  TF_OpKernelConstruction_Failure(c, status.get());
  return nullptr;
}

// Allocates outputs and scratch, and runs the region.
void Run(const Kernel& kernel, TF_OpKernelContext* c, TF_Status* status) {
  const auto is_ok = [status] { return TF_GetCode(status) == TF_OK; };
  std::vector<Tensor> inputs, outputs;
  std::vector<const void*> in;
  std::vector<void*> out;
  int64_t bytes = 0;
  for (int i = 0; i < TF_NumInputs(c); ++i) {
    TF_Tensor* input = nullptr;
    TF_GetInput(c, i, &input, status);
    if (!is_ok()) return;
    inputs.emplace_back(input, TF_DeleteTensor);
    in.push_back(TF_TensorData(input));
    bytes += TF_TensorByteSize(input);
  }
  for (size_t i = 0; i < kernel.shapes.size(); ++i) {
    const auto& shape = kernel.shapes[i];
    const int from = static_cast<int>(kernel.forward[i]);
    const bool takes_over = from >= 0 && from < static_cast<int>(inputs.size());
    // TensorFlow would see two owners.
    if (takes_over) inputs[from].reset();
    int taken = -1;
    outputs.emplace_back(TF_ForwardInputOrAllocateOutput(c, &from, takes_over, static_cast<int>(i), shape.data(),
                                                         static_cast<int>(shape.size()), &taken, status),
                         TF_DeleteTensor);
    if (!is_ok()) return;
    out.push_back(TF_TensorData(outputs.back().get()));
    bytes += TF_TensorByteSize(outputs.back().get());
  }
  const int64_t chunks = ChunksFor(kernel.rows, bytes);
  const int64_t scratch_bytes = kernel.region->scratch_bytes(kernel.rows, chunks);
  TF_AllocatorAttributes host = {TF_ALLOCATOR_ATTRIBUTES_STRUCT_SIZE, 1};
  const Tensor scratch(TF_AllocateTemp(c, TF_UINT8, &scratch_bytes, 1, &host, status), TF_DeleteTensor);
  if (!is_ok()) return;
  const auto work = std::make_shared<Work>(*kernel.region, chunks, kernel.rows, in.data(), out.data(),
                                           static_cast<char*>(TF_TensorData(scratch.get())));
  ThreadPool* const pool = chunks > 1 ? PoolOf(c) : nullptr;
  const int64_t helpers = pool == nullptr ? 0 : std::min<int64_t>(chunks, pool->NumThreads()) - 1;
  for (int64_t i = 0; i < helpers; ++i) pool->Schedule([work] { work->Help(); });
  work->Finish();
}

void Compute(void* kernel, TF_OpKernelContext* c) {
  const Status status = NewStatus();
  Run(*static_cast<const Kernel*>(kernel), c, status.get());
  if (!IsOk(status)) TF_OpKernelContext_Failure(c, status.get());
}

void Delete(void* kernel) { delete static_cast<Kernel*>(kernel); }

// TensorFlow's own fusing of products and convolutions needs to know shapes.
void InferShapes(TF_ShapeInferenceContext* c, TF_Status* status) {
  if (!IsKnownTensorflow()) return TF_ShapeInferenceContextSetUnknownShape(c, status);
  auto* context = reinterpret_cast<InferenceContext*>(c);
  std::vector<int64_t> numbers;
  std::vector<std::vector<int64_t>> shapes;
  if (!context->GetAttr("shapes", &numbers).ok() || !ReadShapes(numbers, &shapes) ||
      static_cast<int>(shapes.size()) != context->num_outputs())
    return TF_SetStatus(status, TF_INVALID_ARGUMENT, "the shapes of a region are not those of its outputs");
  for (int i = 0; i < context->num_outputs(); ++i) {
    std::vector<DimensionHandle> sizes;
    for (const int64_t size : shapes[i]) sizes.push_back(context->MakeDim(size));
    context->set_output(i, context->MakeShape(sizes));
  }
}

}  // namespace

// The op is there for every graph that is opened afterwards.
void RegisterRegion(TF_Status* status) {
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("BnTrainRegion");
  for (const char* attribute : {"library: string", "symbol: string", "rows: int >= 0", "shapes: list(int)",
                                "forward: list(int)", "Tin: list(type) >= 0", "Tout: list(type) >= 1"})
    TF_OpDefinitionBuilderAddAttr(op, attribute);
  TF_OpDefinitionBuilderAddInput(op, "inputs: Tin");
  TF_OpDefinitionBuilderAddOutput(op, "outputs: Tout");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, InferShapes);
  TF_RegisterOpDefinition(op, status);
  if (TF_GetCode(status) != TF_OK) return;
  TF_RegisterKernelBuilder("BnTrainRegion", TF_NewKernelBuilder("BnTrainRegion", "CPU", Create, Compute, Delete), status);
}
