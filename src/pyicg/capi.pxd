# The C interface of pyicg for Cython: `from pyicg cimport capi`. An extension that takes its functions from import_api()
# links nothing; one that calls them by name links the library (docs: linking).
# Kept by hand beside pyicg/pyicg.h, which says what everything means.
from cpython.pycapsule cimport PyCapsule_Import
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "pyicg/pyicg.h" nogil:
    enum:
        PYICG_ABI_VERSION
        PYICG_MASK_SATURATED
        PYICG_MASK_UNDERFLOW
        PYICG_MASK_BAD
        PYICG_MASK_EXCLUDED
        PYICG_MASK_OUT_OF_RANGE
        PYICG_MASK_REPAIRED
        PYICG_MASK_NOT_FINITE

    ctypedef enum pyicg_status:
        PYICG_OK
        PYICG_TRUNCATED
        PYICG_ERROR_ARGUMENT
        PYICG_ERROR_INPUT
        PYICG_ERROR_PROFILE
        PYICG_ERROR_UNIT
        PYICG_ERROR_MEMORY
        PYICG_ERROR_INTERNAL
        PYICG_ERROR_BUSY

    ctypedef enum pyicg_reason:
        PYICG_REASON_NONE
        PYICG_REASON_NO_PIXEL_SIZE
        PYICG_REASON_NO_PREVALENCE
        PYICG_REASON_BACKGROUND_NOT_RESOLVED
        PYICG_REASON_SATURATED_LOWER_BOUND
        PYICG_REASON_UNCALIBRATED
        PYICG_REASON_OUT_OF_RANGE
        PYICG_REASON_TOO_FEW_PIXELS
        PYICG_REASON_NO_LESION
        PYICG_REASON_NO_PLANE
        PYICG_REASON_SLICE_TOO_THICK
        PYICG_REASON_EXTRAPOLATED
        PYICG_REASON_NOT_STAR_SHAPED
        PYICG_REASON_CLIPPED_BY_BORDER
        PYICG_REASON_NO_SIGNAL
        PYICG_REASON_NO_ENCLOSED_CORE
        PYICG_REASON_BELOW_MIN_AREA
        PYICG_REASON_NO_EXPOSURE
        PYICG_REASON_STRADDLES_THRESHOLD
        PYICG_REASON_NO_PHOTONS
        PYICG_REASON_NOT_SATURATED
        PYICG_REASON_TOO_FEW_LEVELS
        PYICG_REASON_NO_SPATIAL_SERIES
        PYICG_REASON_NO_EXPOSURES
        PYICG_REASON_PLANE_NOT_FLAT
        PYICG_REASON_PLANE_UNVERIFIED
        PYICG_REASON_NO_SIGN
        PYICG_REASON_NO_DISTANCE
        PYICG_REASON_TOO_FEW_CASES
        PYICG_REASON_TOO_FEW_EXPOSURES
        PYICG_REASON_NO_RESPONSE
        PYICG_REASON_NON_UNIFORMITY_NOT_RESOLVED
        PYICG_REASON_GAIN_NOT_CONSTANT
        PYICG_REASON_QUANTISATION_LIMITED
        PYICG_REASON_EMPTY_FIELD_LEFT_OUT
        PYICG_REASON_NOT_FINITE
        PYICG_REASON_NOT_LINEAR
        PYICG_REASON_UNEVEN_LIGHT
        PYICG_REASON_EXPOSURE_INCONSISTENT
        PYICG_REASON_OFFSET_DRIFT
        PYICG_REASON_NOISE_CHANGED
        PYICG_REASON_GAIN_CHANGED
        PYICG_REASON_FLAT_CHANGED
        PYICG_REASON_NEW_BAD_PIXELS
        PYICG_REASON_FEW_FRAMES
        PYICG_REASON_BACKGROUND_SATURATED
        PYICG_REASON_FRAME_SATURATED
        PYICG_REASON_OUT_OF_FOCUS
        PYICG_REASON_MOTION_BLUR
        PYICG_REASON_GLARE
        PYICG_REASON_OUTSIDE_SERIES
        PYICG_REASON_SIGNAL_CUT_OFF
        PYICG_REASON_ELONGATED
        PYICG_REASON_SATURATED_BLOB
        PYICG_REASON_HOT_PIXEL
        PYICG_REASON_DRAPE_EDGE
        PYICG_REASON_NO_CLOSED_BOUNDARY
        PYICG_REASON_LOW_CONFIDENCE
        PYICG_REASON_SLICE_MISSING
        PYICG_REASON_LESION_SPLITS
        PYICG_REASON_OUTSIDE_TRAINING_RANGE
        PYICG_REASON_FEATURE_MISSING
        PYICG_REASON_PROTOCOL_DIFFERS
        PYICG_REASON_SIGN_CONTRADICTS
        PYICG_REASON_LESIONS_NOT_SOUGHT

    ctypedef enum pyicg_pixel_format:
        PYICG_PIXEL_U8
        PYICG_PIXEL_U16
        PYICG_PIXEL_F32
        PYICG_PIXEL_MONO10P
        PYICG_PIXEL_MONO12P

    ctypedef enum pyicg_view:
        PYICG_VIEW_BED
        PYICG_VIEW_SECTION

    ctypedef enum pyicg_sign:
        PYICG_SIGN_NEGATIVE
        PYICG_SIGN_POSITIVE
        PYICG_SIGN_UNKNOWN

    ctypedef struct pyicg_error:
        uint32_t struct_size
        uint32_t status
        char message[504]

    ctypedef struct pyicg_measurement:
        double value
        double sigma
        double lo
        double hi
        uint32_t reason
        uint32_t reserved

    ctypedef struct pyicg_profile_data:
        uint32_t struct_size
        uint32_t calibrated
        uint64_t height
        uint64_t width
        const float* dark
        const float* dark_rate
        const float* dark_sigma
        const float* flat
        const float* flat_sigma
        const float* read_noise_map
        const float* gain_map
        const uint8_t* bad
        double linearity[3]
        const double* linearity_table
        uint64_t linearity_table_size
        double linearity_step_dn
        double saturation_dn
        double exposure_ms
        double exposure_min_ms
        double exposure_max_ms
        double dark_mean_exposure_ms
        double dark_exposure_sd_ms
        double gain_db
        double gain_dn_per_e
        double read_noise_dn
        double response_nm_per_dn_ms

    ctypedef void (*pyicg_task)(void* context, size_t index) noexcept nogil

    ctypedef struct pyicg_runner:
        void (*run)(void* host, size_t count, pyicg_task task, void* context) noexcept nogil
        void* host

    ctypedef enum pyicg_log_level:
        PYICG_LOG_ERROR
        PYICG_LOG_WARNING
        PYICG_LOG_INFO

    ctypedef struct pyicg_log:
        void (*write)(void* user, uint32_t level, const char* message) noexcept nogil
        void* user

    ctypedef struct pyicg_scorer_options:
        uint32_t struct_size
        uint32_t view
        double sbr_cut
        double pixel_size_mm
        double min_area_px
        double smooth_px
        double psf_sigma_px
        uint32_t without_lesions
        uint32_t threads
        pyicg_runner runner
        pyicg_log log

    ctypedef struct pyicg_frame:
        uint32_t struct_size
        uint32_t pixel_format
        const void* data
        uint64_t height
        uint64_t width
        int64_t stride_bytes
        double exposure_ms
        double gain_db
        uint64_t timestamp_ns

    ctypedef struct pyicg_frame_score:
        uint32_t struct_size
        uint32_t calibrated
        uint64_t timestamp_ns
        double background_level
        double background_sigma
        pyicg_measurement sbr
        pyicg_measurement sbr_raw
        pyicg_measurement weber
        pyicg_measurement michelson
        pyicg_measurement cnr
        pyicg_measurement cvr
        pyicg_measurement signal_level
        pyicg_measurement background
        uint32_t sign
        uint32_t sign_at_150
        uint32_t sign_at_175
        uint32_t sign_at_200
        double residual_area_px
        pyicg_measurement residual_area_mm2
        double saturated_fraction
        double underflow_fraction
        double focus
        uint64_t bad_pixels
        uint64_t repaired_pixels
        uint64_t n_lesions
        uint64_t n_hot_spots
        uint64_t n_reasons
        uint32_t reasons[64]
        double isotropy
        double glare_fraction

    ctypedef struct pyicg_lesion:
        double centroid_y
        double centroid_x
        double area_px
        double completeness
        double confidence
        double correlation_px
        pyicg_measurement area_mm2
        pyicg_measurement thickness_px
        pyicg_measurement thickness_mm
        pyicg_measurement sbr
        uint64_t n_vertices
        uint32_t not_star_shaped
        uint32_t clipped_by_border

    ctypedef struct pyicg_hot_spot:
        double peak_sbr
        double peak_y
        double peak_x
        double area_px

    ctypedef struct pyicg_profile:
        pass

    ctypedef struct pyicg_scorer:
        pass

    uint32_t pyicg_abi_version()
    const char* pyicg_version_string()
    const char* pyicg_status_string(uint32_t status)
    const char* pyicg_reason_string(uint32_t reason)

    pyicg_status pyicg_profile_create(const pyicg_profile_data* data, pyicg_profile** out, pyicg_error* error)
    void pyicg_profile_destroy(pyicg_profile* profile)

    pyicg_status pyicg_scorer_create(const pyicg_profile* profile, const pyicg_scorer_options* options,
                                     pyicg_scorer** out, pyicg_error* error)
    void pyicg_scorer_destroy(pyicg_scorer* scorer)

    pyicg_status pyicg_scorer_score(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                                    pyicg_error* error)

    pyicg_status pyicg_scorer_lesions(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity,
                                      uint64_t* count)
    pyicg_status pyicg_scorer_hot_spots(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                        uint64_t* count)
    pyicg_status pyicg_scorer_contour(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx,
                                      uint64_t capacity, uint64_t* count)
    pyicg_status pyicg_scorer_data(const pyicg_scorer* scorer, float* array, uint64_t capacity, uint64_t* count)
    pyicg_status pyicg_scorer_mask(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity, uint64_t* count)

    ctypedef struct pyicg_api:
        uint32_t struct_size
        uint32_t abi_version
        const char* (*version_string)() noexcept nogil
        const char* (*status_string)(uint32_t status) noexcept nogil
        const char* (*reason_string)(uint32_t reason) noexcept nogil
        pyicg_status (*profile_create)(const pyicg_profile_data* data, pyicg_profile** out,
                                       pyicg_error* error) noexcept nogil
        void (*profile_destroy)(pyicg_profile* profile) noexcept nogil
        pyicg_status (*scorer_create)(const pyicg_profile* profile, const pyicg_scorer_options* options,
                                      pyicg_scorer** out, pyicg_error* error) noexcept nogil
        void (*scorer_destroy)(pyicg_scorer* scorer) noexcept nogil
        pyicg_status (*scorer_score)(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                                     pyicg_error* error) noexcept nogil
        pyicg_status (*scorer_lesions)(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity,
                                       uint64_t* count) noexcept nogil
        pyicg_status (*scorer_hot_spots)(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                         uint64_t* count) noexcept nogil
        pyicg_status (*scorer_contour)(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx,
                                       uint64_t capacity, uint64_t* count) noexcept nogil
        pyicg_status (*scorer_data)(const pyicg_scorer* scorer, float* array, uint64_t capacity,
                                    uint64_t* count) noexcept nogil
        pyicg_status (*scorer_mask)(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity,
                                    uint64_t* count) noexcept nogil

    const pyicg_api* pyicg_api_table()

    pyicg_error pyicg_no_error()
    pyicg_profile_data pyicg_identity_profile(uint64_t height, uint64_t width, double saturation_dn)
    pyicg_scorer_options pyicg_options_for(pyicg_view view)
    pyicg_frame pyicg_frame_of(const void* data, pyicg_pixel_format format, uint64_t height, uint64_t width)
    pyicg_frame_score pyicg_empty_score()


# The functions of the pyicg that Python imports. Call it once, when the extension is imported.
cdef inline const pyicg_api* import_api() except NULL:
    cdef const pyicg_api* api = <const pyicg_api*> PyCapsule_Import("pyicg._capi.api", 0)
    if api.abi_version != PYICG_ABI_VERSION or api.struct_size < sizeof(pyicg_api):
        raise ImportError(
            f"this extension was built for pyicg's C interface {PYICG_ABI_VERSION} of {sizeof(pyicg_api)} bytes, found "
            f"{api.abi_version} of {api.struct_size}; build it again with the pyicg that is installed"
        )
    return api
