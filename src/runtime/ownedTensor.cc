// Part of the addon: tensors made from JavaScript's arrays, with memory of their own; but not the rows of a data set.
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

// The compiler is told to call the function below wherever the stock sources name this one.
#undef TF_NewTensor
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tensor.h"

namespace {

// Arrays that tensors shared and nobody needs any more. Only the thread that they came from may give them back to V8.
struct Returned {
  std::mutex mutex;
  std::vector<void*> args;
};

thread_local const auto own = std::make_shared<Returned>();

// An array that a tensor shares.
struct Shared {
  void* arg;
  std::shared_ptr<Returned> owner;
};

// Whichever thread lets go of a tensor last; the array's own may have ended, and its arrays with it.
void Leave(void*, size_t, void* arg) {
  const std::unique_ptr<Shared> shared(static_cast<Shared*>(arg));
  const std::lock_guard<std::mutex> lock(shared->owner->mutex);
  shared->owner->args.push_back(shared->arg);
}

void GiveBack(void (*deallocator)(void* data, size_t len, void* arg)) {
  std::vector<void*> args;
  {
    const std::lock_guard<std::mutex> lock(own->mutex);
    args.swap(own->args);
  }
  for (void* arg : args) deallocator(nullptr, 0, arg);
}

// As a data set's rows are: TensorFlow takes no other memory as it is.
bool IsDataSet(TF_DataType dtype, const void* data, size_t len) {
  return dtype == TF_INT64 && len >= 1 << 20 && reinterpret_cast<uintptr_t>(data) % 64 == 0;
}

}  // namespace

// TensorFlow's own copies an array unless it happens to lie at a multiple of 64 bytes, and else shares its memory. Whichever
// thread then lets go of the tensor last, such as one that assigns to a variable, gives the array back to V8, which may be
// called on its own thread only: the heap is damaged. Values that are written into the array later would show, too.
extern "C" TF_Tensor* copying_TF_NewTensor(TF_DataType dtype, const int64_t* dims, int num_dims, void* data, size_t len,
                                           void (*deallocator)(void* data, size_t len, void* arg), void* arg) {
  GiveBack(deallocator);
  if (IsDataSet(dtype, data, len))
    return TF_NewTensor(dtype, dims, num_dims, data, len, Leave, new Shared{arg, own});
  TF_Tensor* tensor = TF_AllocateTensor(dtype, dims, num_dims, len);
  if (len > 0) std::memcpy(TF_TensorData(tensor), data, len);
  deallocator(data, len, arg);
  return tensor;
}
