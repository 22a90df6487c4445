# cython: language_level=3
# Scores a cut face of a specimen from a raw file: an extension that takes pyicg's functions from its table and links
# nothing. Beside cython, which finds capi.pxd in the package, its build needs the folder of the header.
from libc.stdint cimport uint16_t, uint64_t

from pyicg cimport capi

cdef const capi.pyicg_api* api = capi.import_api()


cdef int check(capi.pyicg_status status, capi.pyicg_error* error) except -1:
    if status != capi.PYICG_OK:
        raise RuntimeError(f"{api.status_string(status).decode()}: {error.message.decode()}")
    return 0


def score(const uint16_t[:, ::1] pixels not None, double saturation_dn):
    """Return lines of background, SBR, focus and the thickness of every rim of an uncalibrated frame."""
    cdef capi.pyicg_error error = capi.pyicg_no_error()
    cdef capi.pyicg_profile_data data = capi.pyicg_identity_profile(pixels.shape[0], pixels.shape[1], saturation_dn)
    cdef capi.pyicg_scorer_options options = capi.pyicg_options_for(capi.PYICG_VIEW_SECTION)
    cdef capi.pyicg_frame frame = capi.pyicg_frame_of(
        &pixels[0, 0], capi.PYICG_PIXEL_U16, pixels.shape[0], pixels.shape[1]
    )
    cdef capi.pyicg_frame_score result = capi.pyicg_empty_score()
    cdef capi.pyicg_profile* profile = NULL
    cdef capi.pyicg_scorer* scorer = NULL
    cdef capi.pyicg_status status
    cdef capi.pyicg_lesion lesions[64]
    cdef uint64_t count = 0
    try:
        check(api.profile_create(&data, &profile, &error), &error)
        check(api.scorer_create(profile, &options, &scorer, &error), &error)
        with nogil:
            status = api.scorer_score(scorer, &frame, &result, &error)
        check(status, &error)
        if api.scorer_lesions(scorer, lesions, 64, &count) != capi.PYICG_OK:
            raise RuntimeError("more than 64 lesions")
        return [
            f"background {result.background_level:.17g}",
            f"sbr {result.sbr.value:.17g}",
            f"focus {result.focus:.17g}",
            f"lesions {count}",
            *[f"thickness {lesions[k].thickness_px.value:.17g}" for k in range(count)],
        ]
    finally:
        api.scorer_destroy(scorer)
        api.profile_destroy(profile)
