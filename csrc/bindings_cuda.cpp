#include "cuda/mutual_match.h"
#include "pybench/bindings.h"

namespace py = pybind11;

PYBIND11_MODULE(_cuda, m) {
  m.doc() = "Native operations of pybench on CUDA devices; pybench.ops is their public face";
  m.def("unit_rows", &pybench::cuda::unit_rows, py::arg("features"), py::arg("epsilon"), py::arg("split"),
        py::arg("rows"), py::arg("stream"), py::call_guard<py::gil_scoped_release>());
}
