#include "cpu/connected_regions/connected_regions.h"
#include "cpu/depthwise_conv2d/depthwise_conv2d.h"
#include "cpu/fma_peak/fma_peak.h"
#include "cpu/k_center/k_center.h"
#include "cpu/mutual_match/mutual_match.h"
#include "cpu/optics/optics.h"
#include "cpu/perlin_noise/perlin_noise.h"
#include "cpu/shared/simd.h"
#include "shared/bindings.h"

namespace py = pybind11;

PYBIND11_MODULE(_cpu, m) {
  m.doc() = "Native operations of pybench on the CPU; pybench.ops is their public face";
  m.def("simd_levels", &pybench::simd_levels, "Levels, best first, each with why it cannot run here (empty: it can)");
  m.def("unit_rows", &pybench::unit_rows, py::arg("features"), py::arg("epsilon"), py::arg("threads"),
        py::arg("unit"), py::call_guard<py::gil_scoped_release>());
  m.def("mutual_match", &pybench::mutual_match, py::arg("level"), py::arg("query"), py::arg("panels"),
        py::arg("height"), py::arg("width"), py::arg("forward_window"), py::arg("backward_window"),
        py::arg("threads"), py::arg("forward"), py::arg("backward"), py::call_guard<py::gil_scoped_release>());
  m.def("k_center", &pybench::k_center, py::arg("level"), py::arg("points"), py::arg("sketches"),
        py::arg("first"), py::arg("threads"), py::arg("chosen"), py::call_guard<py::gil_scoped_release>());
  m.def("connected_regions", &pybench::connected_regions, py::arg("masks"), py::arg("threads"), py::arg("labels"),
        py::arg("counts"), py::call_guard<py::gil_scoped_release>());
  m.def("perlin_noise", &pybench::perlin_noise, py::arg("gradients"), py::arg("noise"),
        py::call_guard<py::gil_scoped_release>());
  m.def("depthwise_conv2d", &pybench::depthwise_conv2d, py::arg("level"), py::arg("x"), py::arg("weight"),
        py::arg("bias"), py::arg("transposed"), py::arg("threads"), py::arg("output"),
        py::call_guard<py::gil_scoped_release>());
  m.def("depthwise_conv2d_weight_gradient", &pybench::depthwise_conv2d_weight_gradient, py::arg("level"),
        py::arg("output_gradient"), py::arg("x"), py::arg("threads"), py::arg("weight_gradient"),
        py::call_guard<py::gil_scoped_release>());
  m.def("fma_peak", &pybench::fma_peak, py::arg("level"), py::arg("threads"), py::arg("repeats"), py::arg("tries"),
        py::call_guard<py::gil_scoped_release>());
  m.def("optics_select", &pybench::optics_select, py::arg("level"), py::arg("features"), py::arg("min_samples"),
        py::arg("mean"), py::arg("threads"), py::arg("selected"), py::call_guard<py::gil_scoped_release>());
  m.def("optics_distances", &pybench::optics_distances, py::arg("level"), py::arg("examples"), py::arg("distances"),
        py::call_guard<py::gil_scoped_release>());
  m.def("optics_labels", &pybench::optics_labels, py::arg("level"), py::arg("distances"), py::arg("min_samples"),
        py::arg("labels"), py::call_guard<py::gil_scoped_release>());
}
