// Part of the addon: the ops BnTrainRead and BnTrainAssign, which read and assign all variables of a step at once, where
// TensorFlow's own take three ops for each of them. Compiled with region.cc, as TensorFlow's headers take 3 s to read.
#pragma once
#include <string>
#include <vector>

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace {

using tensorflow::Var;

class VariablesOp : public tensorflow::OpKernel {
 public:
  explicit VariablesOp(tensorflow::OpKernelConstruction* c) : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("names", &names_));
  }

 protected:
  // Calls `use` with each variable, in the order of the names. They are those that the session's VarHandleOps stand for.
  template <typename Use>
  void Each(tensorflow::OpKernelContext* c, Use use) {
    auto* const all = c->resource_manager();
    for (size_t i = 0; i < names_.size(); ++i) {
      Var* found = nullptr;
      OP_REQUIRES_OK(c, all->Lookup(all->default_container(), names_[i], &found));
      const tensorflow::core::RefCountPtr<Var> variable(found);
      use(static_cast<int>(i), *variable);
    }
  }

 private:
  std::vector<std::string> names_;
};

class ReadOp : public VariablesOp {
  using VariablesOp::VariablesOp;
  void Compute(tensorflow::OpKernelContext* c) override {
    Each(c, [c](int i, Var& variable) {
      tensorflow::tf_shared_lock lock(*variable.mu());
      c->set_output(i, *variable.tensor());
    });
  }
};

class AssignOp : public VariablesOp {
  using VariablesOp::VariablesOp;
  void Compute(tensorflow::OpKernelContext* c) override {
    Each(c, [c](int i, Var& variable) {
      tensorflow::mutex_lock lock(*variable.mu());
      *variable.tensor() = c->input(i);
    });
  }
};

REGISTER_OP("BnTrainRead")
    .Attr("names: list(string)")
    .Attr("shapes: list(shape)")
    .Attr("Tout: list(type) >= 1")
    .Output("values: Tout")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::ExplicitShapes);
REGISTER_KERNEL_BUILDER(Name("BnTrainRead").Device(tensorflow::DEVICE_CPU), ReadOp);

REGISTER_OP("BnTrainAssign")
    .Attr("names: list(string)")
    .Attr("Tin: list(type) >= 1")
    .Input("values: Tin")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);
REGISTER_KERNEL_BUILDER(Name("BnTrainAssign").Device(tensorflow::DEVICE_CPU), AssignOp);

}  // namespace
