#include "cuda/depthwise_conv2d/depthwise_conv2d.h"
#include "cuda/mutual_match/mutual_match.h"
#include "cuda/optics/optics.h"
#include "shared/bindings.h"

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
  m.def("optics_distances", &pybench::cuda::optics_distances, py::arg("unit"), py::arg("distances"),
        py::arg("stream"), py::call_guard<py::gil_scoped_release>());
  m.def("optics_regions", &pybench::cuda::optics_regions, py::arg("distances"), py::arg("min_samples"),
        py::arg("most"), py::arg("ranks"), py::arg("stream"), py::call_guard<py::gil_scoped_release>());
  m.def("optics_choose", &pybench::cuda::optics_choose, py::arg("distances"), py::arg("ranks"), py::arg("sums"),
        py::arg("chosen"), py::arg("stream"), py::call_guard<py::gil_scoped_release>());
}
