// Part of the addon: tensors made from JavaScript's arrays, with memory of their own.
#include <cstring>

// The compiler is told to call the function below wherever the stock sources name this one.
#undef TF_NewTensor
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tensor.h"

// TensorFlow's own copies an array unless it happens to lie at a multiple of 64 bytes, and else shares its memory. Whichever
// thread then lets go of the tensor last, such as one that assigns to a variable, gives the array back to V8, which may be
// called on its own thread only: the heap is damaged. Values that are written into the array later would show, too.
extern "C" TF_Tensor* copying_TF_NewTensor(TF_DataType dtype, const int64_t* dims, int num_dims, void* data, size_t len,
                                           void (*deallocator)(void* data, size_t len, void* arg), void* arg) {
  TF_Tensor* tensor = TF_AllocateTensor(dtype, dims, num_dims, len);
  if (len > 0) std::memcpy(TF_TensorData(tensor), data, len);
  deallocator(data, len, arg);
  return tensor;
}
