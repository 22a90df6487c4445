/* pyicg C interface (C99). Research software, not a medical device.
 *
 * Rules. Every call returns a status; on failure it fills the caller's pyicg_error, which may be NULL. Handles are
 * opaque. A scorer belongs to one thread at a time; profiles are immutable and may be shared. Pixels and arrays belong
 * to the caller and are never kept after a call. Structs that the caller fills start with struct_size = sizeof(struct).
 * Longer structs of later versions are accepted, and shorter ones of earlier versions: options left out have their
 * defaults, of a pyicg_frame_score what fits is filled. A failed create leaves NULL in its out pointer.
 * A number travels as pyicg_measurement; an undefined one is NaN with a reason. No call throws, prints or exits.
 */
#ifndef PYICG_PYICG_H
#define PYICG_PYICG_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(PYICG_BUILDING)
#define PYICG_API __declspec(dllexport)
#else
#define PYICG_API
#endif
#else
#define PYICG_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#define PYICG_NOEXCEPT noexcept
#else
#define PYICG_NOEXCEPT
#endif

#define PYICG_ABI_VERSION 1u

typedef enum pyicg_status {
  PYICG_OK = 0,
  PYICG_TRUNCATED = 1,      /* the caller's array was short: what fits was written */
  PYICG_ERROR_ARGUMENT = 2, /* a null pointer, a wrong struct_size, a value out of range */
  PYICG_ERROR_INPUT = 3,    /* the frame or an option cannot be used as it is */
  PYICG_ERROR_PROFILE = 4,  /* the profile is inconsistent or does not fit */
  PYICG_ERROR_UNIT = 5,     /* a length or exposure is not positive */
  PYICG_ERROR_MEMORY = 6,
  PYICG_ERROR_INTERNAL = 7
} pyicg_status;

/* Why a number is undefined or limited. */
typedef enum pyicg_reason {
  PYICG_REASON_NONE = 0,
  PYICG_REASON_NO_PIXEL_SIZE = 1,
  PYICG_REASON_NO_PREVALENCE = 2,
  PYICG_REASON_BACKGROUND_NOT_RESOLVED = 3,
  PYICG_REASON_SATURATED_LOWER_BOUND = 4,
  PYICG_REASON_UNCALIBRATED = 5,
  PYICG_REASON_OUT_OF_RANGE = 6,
  PYICG_REASON_TOO_FEW_PIXELS = 7,
  PYICG_REASON_NO_LESION = 8,
  PYICG_REASON_NO_PLANE = 9,
  PYICG_REASON_SLICE_TOO_THICK = 10,
  PYICG_REASON_EXTRAPOLATED = 11,
  PYICG_REASON_NOT_STAR_SHAPED = 12,
  PYICG_REASON_CLIPPED_BY_BORDER = 13,
  PYICG_REASON_NO_SIGNAL = 14,
  PYICG_REASON_NO_ENCLOSED_CORE = 15,
  PYICG_REASON_BELOW_MIN_AREA = 16,
  PYICG_REASON_NO_EXPOSURE = 17,
  PYICG_REASON_STRADDLES_THRESHOLD = 18,
  PYICG_REASON_NO_PHOTONS = 19,
  PYICG_REASON_NOT_SATURATED = 20,
  PYICG_REASON_TOO_FEW_LEVELS = 21,
  PYICG_REASON_NO_SPATIAL_SERIES = 22,
  PYICG_REASON_NO_EXPOSURES = 23,
  PYICG_REASON_PLANE_NOT_FLAT = 24,
  PYICG_REASON_PLANE_UNVERIFIED = 25,
  PYICG_REASON_NO_SIGN = 26,
  PYICG_REASON_NO_DISTANCE = 27,
  PYICG_REASON_TOO_FEW_CASES = 28,
  PYICG_REASON_TOO_FEW_EXPOSURES = 29,
  PYICG_REASON_NO_RESPONSE = 30,
  PYICG_REASON_NON_UNIFORMITY_NOT_RESOLVED = 31,
  PYICG_REASON_GAIN_NOT_CONSTANT = 32,
  PYICG_REASON_QUANTISATION_LIMITED = 33,
  PYICG_REASON_EMPTY_FIELD_LEFT_OUT = 34,
  PYICG_REASON_NOT_FINITE = 35,
  PYICG_REASON_NOT_LINEAR = 36,
  PYICG_REASON_UNEVEN_LIGHT = 37,
  PYICG_REASON_EXPOSURE_INCONSISTENT = 38,
  PYICG_REASON_OFFSET_DRIFT = 39,
  PYICG_REASON_NOISE_CHANGED = 40,
  PYICG_REASON_GAIN_CHANGED = 41,
  PYICG_REASON_FLAT_CHANGED = 42,
  PYICG_REASON_NEW_BAD_PIXELS = 43,
  PYICG_REASON_FEW_FRAMES = 44,
  PYICG_REASON_BACKGROUND_SATURATED = 45,
  PYICG_REASON_FRAME_SATURATED = 46,
  PYICG_REASON_OUT_OF_FOCUS = 47,
  PYICG_REASON_MOTION_BLUR = 48,
  PYICG_REASON_GLARE = 49,
  PYICG_REASON_OUTSIDE_SERIES = 50,
  PYICG_REASON_SIGNAL_CUT_OFF = 51,
  PYICG_REASON_ELONGATED = 52,
  PYICG_REASON_SATURATED_BLOB = 53,
  PYICG_REASON_HOT_PIXEL = 54,
  PYICG_REASON_DRAPE_EDGE = 55,
  PYICG_REASON_NO_CLOSED_BOUNDARY = 56,
  PYICG_REASON_LOW_CONFIDENCE = 57,
  PYICG_REASON_SLICE_MISSING = 58,
  PYICG_REASON_LESION_SPLITS = 59,
  PYICG_REASON_OUTSIDE_TRAINING_RANGE = 60,
  PYICG_REASON_FEATURE_MISSING = 61,
  PYICG_REASON_PROTOCOL_DIFFERS = 62,
  PYICG_REASON_SIGN_CONTRADICTS = 63,
  PYICG_REASON_LESIONS_NOT_SOUGHT = 64
} pyicg_reason;

/* Bits of a validity mask. Statistics leave out every bit but PYICG_MASK_REPAIRED. */
enum {
  PYICG_MASK_SATURATED = 1,
  PYICG_MASK_UNDERFLOW = 2,
  PYICG_MASK_BAD = 4,
  PYICG_MASK_EXCLUDED = 8,
  PYICG_MASK_OUT_OF_RANGE = 16,
  PYICG_MASK_REPAIRED = 32,
  PYICG_MASK_NOT_FINITE = 64
};

typedef enum pyicg_pixel_format {
  PYICG_PIXEL_U8 = 1,
  PYICG_PIXEL_U16 = 2, /* native byte order; fewer significant bits: say so in the profile's saturation */
  PYICG_PIXEL_F32 = 3
} pyicg_pixel_format;

typedef enum pyicg_view { PYICG_VIEW_BED = 0, PYICG_VIEW_SECTION = 1 } pyicg_view;

typedef enum pyicg_sign { PYICG_SIGN_NEGATIVE = 0, PYICG_SIGN_POSITIVE = 1, PYICG_SIGN_UNKNOWN = 2 } pyicg_sign;

/* Filled on failure; message is always terminated. */
typedef struct pyicg_error {
  uint32_t struct_size;
  uint32_t status;
  char message[504];
} pyicg_error;

/* value with standard uncertainty and 95 % interval; reason is a pyicg_reason. */
typedef struct pyicg_measurement {
  double value, sigma, lo, hi;
  uint32_t reason;
  uint32_t reserved;
} pyicg_measurement;

/* A profile's content: maps of height x width, row-major, copied by pyicg_profile_create; NULL where there is none. */
typedef struct pyicg_profile_data {
  uint32_t struct_size;
  uint32_t calibrated; /* 0: counts only, every result says uncalibrated */
  uint64_t height, width;
  const float* dark;           /* DN, at exposure_ms */
  const float* dark_rate;      /* DN/ms: dark(t) = dark + dark_rate (t - exposure_ms) */
  const float* dark_sigma;     /* DN, standard uncertainty of the dark map at the mean dark exposure */
  const float* flat;           /* relative response, mean 1 */
  const float* flat_sigma;     /* relative standard uncertainty of flat */
  const float* read_noise_map; /* DN; takes the place of read_noise_dn */
  const float* gain_map;       /* DN/e; takes the place of gain_dn_per_e in the variance */
  const uint8_t* bad;          /* non-zero: bad pixel */
  double linearity[3];         /* x -> c1 x + c2 x^2 + c3 x^3, x in counts above dark; identity 1, 0, 0 */
  /* Takes the place of the polynomial: the linear signal at 0, step, 2 step, ... counts above dark; the first is 0,
   * every one larger than the one before, straight between them and beyond the ends. At least 2 values, or NULL. */
  const double* linearity_table;
  uint64_t linearity_table_size;           /* 0 without a table */
  double linearity_step_dn;                /* not looked at without a table */
  double saturation_dn;                    /* INFINITY: unknown */
  double exposure_ms;                      /* of dark and flat; NAN: none */
  double exposure_min_ms, exposure_max_ms; /* calibrated range; NAN: none */
  double dark_mean_exposure_ms;            /* of the dark frames behind a fitted dark_rate; NAN: one exposure */
  double dark_exposure_sd_ms;              /* NAN with dark_mean_exposure_ms */
  double gain_db;                          /* NAN: not told */
  double gain_dn_per_e, read_noise_dn;     /* NAN: unknown */
  double response_nm_per_dn_ms;            /* nM of ICG per DN/ms; NAN: unknown */
} pyicg_profile_data;

typedef struct pyicg_scorer_options {
  uint32_t struct_size;
  uint32_t view;        /* pyicg_view */
  double sbr_cut;       /* > 1; the field uses 1.5 to 2 */
  double pixel_size_mm; /* NAN: unknown, and millimetres are undefined */
  double min_area_px;   /* NAN: 1 mm^2, or 64 px without a pixel size */
  double smooth_px;     /* sigma of the smoothing, 0.5 to 100; 1 is usual */
  double psf_sigma_px;  /* blur of the optics; NAN: each lesion's own edge tells */
  /* Members of the second version. */
  uint32_t without_lesions; /* 1, bed view only: look for no rims, which is faster. All else: same bits */
  uint32_t threads;         /* of one frame, the library's own; 0 and 1: none. The bits do not depend on it */
} pyicg_scorer_options;

typedef struct pyicg_frame {
  uint32_t struct_size;
  uint32_t pixel_format; /* pyicg_pixel_format */
  const void* data;      /* first pixel of row 0 */
  uint64_t height, width;
  int64_t stride_bytes;  /* from one row to the next; may be negative; not looked at for a single row */
  double exposure_ms;    /* NAN: the profile's */
  double gain_db;        /* NAN: the profile's */
  uint64_t timestamp_ns; /* carried to the score */
} pyicg_frame;

/* The fixed-size part of a score. Signs at SBR 1.5, 1.75 and 2.0 stand beside the one asked for. */
typedef struct pyicg_frame_score {
  uint32_t struct_size;
  uint32_t calibrated;
  uint64_t timestamp_ns;
  double background_level, background_sigma;
  pyicg_measurement sbr, sbr_raw, weber, michelson, cnr, cvr, signal_level, background;
  uint32_t sign, sign_at_150, sign_at_175, sign_at_200; /* pyicg_sign */
  double residual_area_px;
  pyicg_measurement residual_area_mm2;
  double saturated_fraction, underflow_fraction;
  double focus; /* 1/px: reciprocal width of the steepest edges */
  uint64_t bad_pixels, repaired_pixels;
  uint64_t n_lesions, n_hot_spots, n_reasons;
  uint32_t reasons[64]; /* pyicg_reason, the first n_reasons */
  /* Members of the second version. */
  double isotropy;       /* least over largest focus among directions */
  double glare_fraction; /* share of the pixels in small bright spots */
} pyicg_frame_score;

typedef struct pyicg_lesion {
  double centroid_y, centroid_x;
  double area_px, completeness, confidence, correlation_px;
  pyicg_measurement area_mm2, thickness_px, thickness_mm, sbr;
  uint64_t n_vertices; /* of each contour */
  uint32_t not_star_shaped, clipped_by_border;
} pyicg_lesion;

typedef struct pyicg_hot_spot {
  double peak_sbr, peak_y, peak_x, area_px;
} pyicg_hot_spot;

typedef struct pyicg_profile pyicg_profile;
typedef struct pyicg_scorer pyicg_scorer;

/* PYICG_ABI_VERSION of the library that is running. */
PYICG_API uint32_t pyicg_abi_version(void) PYICG_NOEXCEPT;
/* Release of the library, as "0.1.0". Static storage. */
PYICG_API const char* pyicg_version_string(void) PYICG_NOEXCEPT;
/* A status or reason as a word; NULL for a value outside its enumeration. Static storage. */
PYICG_API const char* pyicg_status_string(uint32_t status) PYICG_NOEXCEPT;
PYICG_API const char* pyicg_reason_string(uint32_t reason) PYICG_NOEXCEPT;

PYICG_API pyicg_status pyicg_profile_create(const pyicg_profile_data* data, pyicg_profile** out,
                                            pyicg_error* error) PYICG_NOEXCEPT;
/* A profile may be destroyed while scorers still use it: they hold a share. NULL is fine. */
PYICG_API void pyicg_profile_destroy(pyicg_profile* profile) PYICG_NOEXCEPT;

PYICG_API pyicg_status pyicg_scorer_create(const pyicg_profile* profile, const pyicg_scorer_options* options,
                                           pyicg_scorer** out, pyicg_error* error) PYICG_NOEXCEPT;
PYICG_API void pyicg_scorer_destroy(pyicg_scorer* scorer) PYICG_NOEXCEPT;

PYICG_API pyicg_status pyicg_scorer_score(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                                          pyicg_error* error) PYICG_NOEXCEPT;

/* What the last score holds in variable number; before a first score and after a failed one, nothing. Each fills up to
 * `capacity` elements, writes how many there are to `count` and returns PYICG_TRUNCATED when the array was short; with
 * capacity 0 the array may be NULL. */
PYICG_API pyicg_status pyicg_scorer_lesions(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity,
                                            uint64_t* count) PYICG_NOEXCEPT;
PYICG_API pyicg_status pyicg_scorer_hot_spots(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                              uint64_t* count) PYICG_NOEXCEPT;
/* Contour vertices as y, x pairs: capacity and count are in doubles. outer = 0: the inner contour, the tumour's edge.
 */
PYICG_API pyicg_status pyicg_scorer_contour(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx,
                                            uint64_t capacity, uint64_t* count) PYICG_NOEXCEPT;
/* Calibrated frame and validity mask, height x width, row-major. */
PYICG_API pyicg_status pyicg_scorer_data(const pyicg_scorer* scorer, float* array, uint64_t capacity,
                                         uint64_t* count) PYICG_NOEXCEPT;
PYICG_API pyicg_status pyicg_scorer_mask(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity,
                                         uint64_t* count) PYICG_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* PYICG_PYICG_H */
