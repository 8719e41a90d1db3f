// Part of the addon: tensors made from JavaScript's arrays, with memory of their own; but not the rows of a data set.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

// The compiler is told to call the function below wherever the stock sources name this one.
#undef TF_NewTensor
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tensor.h"

namespace {

// An array that a tensor shares, and how its own thread gives it back to V8, which no other one may do.
struct Shared {
  void (*deallocator)(void* data, size_t len, void* arg);
  void* arg;
  int thread;
};

std::atomic<int> threads{0};
// Of threads that have been, too: a system's number may come again.
thread_local const int this_thread = threads++;

std::mutex mutex;
std::vector<Shared*> left;

// Whichever thread lets go of a tensor last.
void Leave(void*, size_t, void* arg) {
  const std::lock_guard<std::mutex> lock(mutex);
  left.push_back(static_cast<Shared*>(arg));
}

void GiveBack() {
  std::vector<Shared*> own, others;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    for (Shared* shared : left) (shared->thread == this_thread ? own : others).push_back(shared);
    left.swap(others);
  }
  for (Shared* shared : own) {
    shared->deallocator(nullptr, 0, shared->arg);
    delete shared;
  }
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
  GiveBack();
  if (IsDataSet(dtype, data, len))
    return TF_NewTensor(dtype, dims, num_dims, data, len, Leave, new Shared{deallocator, arg, this_thread});
  TF_Tensor* tensor = TF_AllocateTensor(dtype, dims, num_dims, len);
  if (len > 0) std::memcpy(TF_TensorData(tensor), data, len);
  deallocator(data, len, arg);
  return tensor;
}
