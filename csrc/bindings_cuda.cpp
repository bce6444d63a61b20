#include "cuda/mutual_match.h"
#include "pybench/bindings.h"

namespace py = pybind11;

PYBIND11_MODULE(_cuda, m) {
  m.doc() = "Native operations of pybench on CUDA devices; pybench.ops is their public face";
  m.def("unit_rows", &pybench::cuda::unit_rows, py::arg("features"), py::arg("epsilon"), py::arg("split"),
        py::arg("rows"), py::arg("stream"), py::call_guard<py::gil_scoped_release>());
  m.def("mutual_match", &pybench::cuda::mutual_match, py::arg("rows"), py::arg("panels"), py::arg("channels"),
        py::arg("height"), py::arg("width"), py::arg("forward_window"), py::arg("backward_window"), py::arg("split"),
        py::arg("table"), py::arg("forward"), py::arg("backward"), py::arg("stream"),
        py::call_guard<py::gil_scoped_release>());
}
