#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "pybench/fma_peak.h"
#include "pybench/k_center.h"
#include "pybench/mutual_match.h"
#include "pybench/optics.h"
#include "pybench/simd.h"

namespace py = pybind11;

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

PYBIND11_MODULE(_cpu, m) {
  m.doc() = "Native operations of pybench on the CPU; pybench.ops is their public face";
  m.def("simd_levels", &pybench::simd_levels, "Levels, best first, each with why it cannot run here (empty: it can)");
  m.def("unit_rows", &pybench::unit_rows, py::arg("features"), py::arg("epsilon"), py::arg("threads"),
        py::arg("unit"), py::call_guard<py::gil_scoped_release>());
  m.def("mutual_match", &pybench::mutual_match, py::arg("level"), py::arg("query"), py::arg("panels"),
        py::arg("height"), py::arg("width"), py::arg("forward_window"), py::arg("backward_window"),
        py::arg("threads"), py::arg("forward"), py::arg("backward"), py::call_guard<py::gil_scoped_release>());
  m.def("k_center", &pybench::k_center, py::arg("level"), py::arg("points"), py::arg("first"), py::arg("threads"),
        py::arg("chosen"), py::call_guard<py::gil_scoped_release>());
  m.def("fma_peak", &pybench::fma_peak, py::arg("level"), py::arg("threads"), py::arg("repeats"), py::arg("tries"),
        py::call_guard<py::gil_scoped_release>());
  m.def("optics_select", &pybench::optics_select, py::arg("level"), py::arg("features"), py::arg("min_samples"),
        py::arg("mean"), py::arg("threads"), py::arg("selected"), py::call_guard<py::gil_scoped_release>());
  m.def("optics_distances", &pybench::optics_distances, py::arg("level"), py::arg("examples"), py::arg("distances"),
        py::call_guard<py::gil_scoped_release>());
  m.def("optics_labels", &pybench::optics_labels, py::arg("level"), py::arg("distances"), py::arg("min_samples"),
        py::arg("labels"), py::call_guard<py::gil_scoped_release>());
}
