#include "cuda/depthwise_conv2d.h"
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
  m.def("depthwise_conv2d", &pybench::cuda::depthwise_conv2d, py::arg("x"), py::arg("weight"), py::arg("bias"),
        py::arg("transposed"), py::arg("output"), py::arg("stream"), py::call_guard<py::gil_scoped_release>());
  m.def("depthwise_conv2d_weight_gradient", &pybench::cuda::depthwise_conv2d_weight_gradient,
        py::arg("output_gradient"), py::arg("x"), py::arg("partial"), py::arg("stream"),
        py::call_guard<py::gil_scoped_release>());
}
