// One function per room; module.cpp only calls them.
#pragma once

#include <pybind11/pybind11.h>

#include "pyicg/contrast.hpp"
#include "pyicg/residual.hpp"
#include "pyicg/rim.hpp"
#include "pyicg/statistics.hpp"

namespace pyicg::bindings {

void bind_calibrate(pybind11::module_& m);
void bind_contrast(pybind11::module_& m);
void bind_distance(pybind11::module_& m);
void bind_frame_sums(pybind11::module_& m);
void bind_residual(pybind11::module_& m);
void bind_rim(pybind11::module_& m);
void bind_scorer(pybind11::module_& m);
void bind_statistics(pybind11::module_& m);
void bind_threshold_rim(pybind11::module_& m);

// Shared by the rooms that return them.
pybind11::dict background_dict(const Background& background);
pybind11::dict contrast_dict(const Contrast& contrast);
pybind11::dict lesion_dict(const Lesion& lesion);
pybind11::list rejected_list(const std::vector<Rejected>& rejected);
pybind11::dict statistics_dict(const RegionStatistics& statistics);
pybind11::object sign_object(Sign sign);  // True, False or None

}  // namespace pyicg::bindings
