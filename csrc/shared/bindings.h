// How tensors reach the bindings.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "shared/tensor_view.h"

// A TensorView argument takes the capsule of `tensor.__dlpack__()`. The capsule is borrowed, not consumed: Python's
// reference keeps the tensor alive during the call and frees it afterwards.
template <>
struct pybind11::detail::type_caster<pybench::TensorView> {
  PYBIND11_TYPE_CASTER(pybench::TensorView, const_name("DLPack capsule"));

  bool load(handle source, bool) {
    if (!PyCapsule_IsValid(source.ptr(), "dltensor")) return false;
    const void* managed = PyCapsule_GetPointer(source.ptr(), "dltensor");
    value = pybench::TensorView(static_cast<const pybench::dlpack::ManagedTensor*>(managed)->tensor);
    return true;
  }
};
