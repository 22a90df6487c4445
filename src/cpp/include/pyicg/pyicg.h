/* pyicg C interface (C99). Research software, not a medical device.
 *
 * Errors. Every call returns a pyicg_status and, when it fails, fills the caller's pyicg_error, which may be NULL. A
 * call that succeeds leaves it as it was: look at the status that is returned. No call throws, prints, aborts or exits.
 *
 * Ownership. Handles are opaque: what a create call gives is given back to its destroy call, once. A failed create
 * leaves NULL in its out pointer. Pixels, maps and arrays belong to the caller and are never kept after a call.
 *
 * Threads. Profiles are immutable: any number of scorers on any threads may share one. A scorer serves one call at a
 * time; a second one at the same time returns PYICG_ERROR_BUSY and leaves the first alone. Scorers know nothing of each
 * other. A handle may be destroyed when no other call uses it and none will; a scorer that a call is using is left
 * alone. Callbacks come back: they must not leave by longjmp or end their thread, and no thread may be cancelled in a
 * call. A child of fork may not use a scorer that was in use when it was made. A thread that scores, or runs shares of
 * a score, needs a stack of 256 KB.
 *
 * Memory. A scorer asks for memory when it is made, with its first frame, and with one that needs more than any before.
 *
 * Versions. Structs that the caller fills start with struct_size = sizeof(struct); the functions that make them, below,
 * set it. Longer structs of later versions are accepted, and those of earlier versions: options left out have their
 * defaults, of a pyicg_frame_score what fits is filled. A size that is that of no version is refused.
 *
 * Numbers. A number travels as pyicg_measurement; an undefined one is NaN with a reason. Positions are in pixels, y
 * down and x right, from 0 at the centre of the first pixel. Calls run in the default floating-point environment (round
 * to nearest, no traps, no flush to zero), whatever the caller's is, and give that back.
 */
#ifndef PYICG_PYICG_H
#define PYICG_PYICG_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#if defined(PYICG_BUILDING)
#define PYICG_API __declspec(dllexport)
#else
#define PYICG_API
#endif
#else
#define PYICG_API __attribute__((visibility("default")))
#endif

/* NOLINTBEGIN(modernize-redundant-void-arg,modernize-avoid-c-arrays): C++ reads it as well */

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
  PYICG_ERROR_MEMORY = 6,   /* out of memory; the handle stays good */
  PYICG_ERROR_INTERNAL = 7, /* a fault of the library: please report it */
  PYICG_ERROR_BUSY = 8      /* another call is using the scorer */
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

/* With the names of GenICam's PFNC. Values over the profile's saturation are an error unless it is unknown. */
typedef enum pyicg_pixel_format {
  PYICG_PIXEL_U8 = 1,  /* Mono8 */
  PYICG_PIXEL_U16 = 2, /* Mono10, Mono12, Mono14 and Mono16: 16-bit words in native byte order, value in the low bits */
  PYICG_PIXEL_F32 = 3, /* NaN and infinity: the pixel is left out */
  PYICG_PIXEL_MONO10P = 4, /* 4 pixels in 5 bytes, lowest bits first; every row begins with a byte */
  PYICG_PIXEL_MONO12P = 5  /* 2 pixels in 3 bytes, as above. Not the Mono12Packed of GigE Vision */
} pyicg_pixel_format;

typedef enum pyicg_view { PYICG_VIEW_BED = 0, PYICG_VIEW_SECTION = 1 } pyicg_view;

typedef enum pyicg_sign { PYICG_SIGN_NEGATIVE = 0, PYICG_SIGN_POSITIVE = 1, PYICG_SIGN_UNKNOWN = 2 } pyicg_sign;

/* Filled on failure, else left as it was; message is terminated. */
typedef struct pyicg_error {
  uint32_t struct_size;
  uint32_t status;
  char message[504];
} pyicg_error;

/* value with standard uncertainty and 95 % interval, each NaN where it is not known. reason, a pyicg_reason, says why
 * value is NaN, or what limits a finite one: uncalibrated, a lower bound. */
typedef struct pyicg_measurement {
  double value, sigma, lo, hi;
  uint32_t reason;
  uint32_t reserved;
} pyicg_measurement;

/* A profile's content: maps of height x width, row-major, copied by pyicg_profile_create; NULL where there is none. */
typedef struct pyicg_profile_data {
  uint32_t struct_size;
  uint32_t calibrated; /* the caller's word, believed; 0: counts only, every result says uncalibrated */
  uint64_t height, width;
  const float* dark;       /* DN, at exposure_ms */
  const float* dark_rate;  /* DN/ms: dark(t) = dark + dark_rate (t - exposure_ms) */
  const float* dark_sigma; /* DN, standard uncertainty of dark, which it needs, at the mean dark exposure */
  /* Relative response, mean 1. A mean over the good pixels outside 0.1 to 10 is refused: divide raw flats by it. */
  const float* flat;
  const float* flat_sigma;     /* relative standard uncertainty of flat, which it needs */
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
  double exposure_min_ms, exposure_max_ms; /* calibrated range; NAN both: none */
  double dark_mean_exposure_ms;            /* of the dark frames behind dark_rate, which it needs; NAN: one exposure */
  double dark_exposure_sd_ms;              /* NAN with dark_mean_exposure_ms */
  double gain_db;                          /* NAN: not told */
  double gain_dn_per_e, read_noise_dn;     /* NAN: unknown */
  double response_nm_per_dn_ms;            /* nM of ICG per DN/ms; no score is in nM; NAN: unknown */
} pyicg_profile_data;

/* Who runs the shares of a call when a frame is split over threads: the host's pool. run calls task(context, index)
 * once for every index of [0, count), on whatever threads and in whatever order, and comes back when all of these calls
 * have. It is called several times a frame. A share that was not begun when run comes back is run by the calling
 * thread; one that is asked for again, or too late, is not, as long as the scorer lives. Each time that shares are left
 * out, the log gets a warning. */
typedef void (*pyicg_task)(void* context, size_t index);
typedef struct pyicg_runner {
  void (*run)(void* host, size_t count, pyicg_task task, void* context); /* NULL: the library's own threads */
  void* host;                                                            /* given to run; belongs to the caller */
} pyicg_runner;

typedef enum pyicg_log_level { PYICG_LOG_ERROR = 1, PYICG_LOG_WARNING = 2, PYICG_LOG_INFO = 3 } pyicg_log_level;

/* Told what a scorer was made for, what of it makes results worth less, and every error of a score but
 * PYICG_ERROR_BUSY. Called on the thread of the call, before it returns; message lives until write comes back. */
typedef struct pyicg_log {
  void (*write)(void* user, uint32_t level, const char* message); /* level: pyicg_log_level; NULL: silence */
  void* user;                                                     /* given to write; belongs to the caller */
} pyicg_log;

typedef struct pyicg_scorer_options {
  uint32_t struct_size;
  uint32_t view;        /* pyicg_view */
  double sbr_cut;       /* > 1; the field uses 1.5 to 2 */
  double pixel_size_mm; /* NAN: unknown, and millimetres are undefined */
  /* NAN: 1 mm^2, but at most 0.25 % of the frame or 64 px, whichever is more, and at least 9 px; without a pixel size
   * 64 px. */
  double min_area_px;
  double smooth_px;    /* sigma of the smoothing, 0.5 to 100; 1 is usual */
  double psf_sigma_px; /* blur of the optics; NAN: each lesion's own edge tells */
  /* Members of the second version. */
  uint32_t without_lesions; /* 1, bed view only: look for no rims, which is faster. All else: same bits */
  uint32_t threads;         /* of one frame, over 256: 256; 0 and 1: the caller's alone. The bits do not depend on it */
  pyicg_runner runner;      /* of these threads; lives as long as the scorer */
  pyicg_log log;            /* lives as long as the scorer */
} pyicg_scorer_options;

typedef struct pyicg_frame {
  uint32_t struct_size;
  uint32_t pixel_format; /* pyicg_pixel_format */
  const void* data;      /* first pixel of row 0, aligned as its type; packed pixels: any byte */
  uint64_t height, width;
  int64_t stride_bytes;  /* from one row to the next; may be negative; not looked at for a single row */
  double exposure_ms;    /* NAN: the profile's */
  double gain_db;        /* NAN: the profile's */
  uint64_t timestamp_ns; /* carried to the score */
} pyicg_frame;

/* The fixed-size part of a score. Plain numbers are NaN where they are undefined; reasons say why, and what else limits
 * the frame. Signs at SBR 1.5, 1.75 and 2.0 stand beside the one asked for. Levels are in DN/ms, or in DN where neither
 * frame nor profile tells an exposure. A section has no sign (unknown), no residual area (NaN) and no hot spots.
 *
 * T is the mean of the signal, B the background, s the standard deviation of a pixel in space, D the mean dark, in the
 * same unit: sbr = T / B, sbr_raw = (T + D) / (B + D), weber = (T - B) / B, michelson = (T - B) / (T + B), cnr = (T -
 * B) / s_B, cvr = (T - B) / sqrt(s_T^2 + s_B^2). */
typedef struct pyicg_frame_score {
  uint32_t struct_size;
  uint32_t calibrated;
  uint64_t timestamp_ns;
  double background_level, background_sigma; /* B and s_B; background.sigma says how well B is known */
  pyicg_measurement sbr, sbr_raw, weber, michelson, cnr, cvr, signal_level, background; /* the last two: T, B */
  uint32_t sign, sign_at_150, sign_at_175, sign_at_200;                                 /* pyicg_sign */
  double residual_area_px;
  pyicg_measurement residual_area_mm2;
  double saturated_fraction, underflow_fraction; /* of all pixels; counts of 0 underflow, but only with a dark map */
  double focus; /* 1/px: reciprocal width of the steepest edges; NaN where none stands out of the noise */
  uint64_t bad_pixels, repaired_pixels;
  uint64_t n_lesions, n_hot_spots, n_reasons;
  uint32_t reasons[64]; /* pyicg_reason, the first n_reasons */
  /* Members of the second version. */
  double isotropy;       /* least over largest focus among directions */
  double glare_fraction; /* share of the pixels in small bright spots */
} pyicg_frame_score;

/* A rim around a dark core; the one with the largest area_px comes first. */
typedef struct pyicg_lesion {
  double centroid_y, centroid_x; /* of the area inside the inner contour */
  double area_px;                /* inside the inner contour */
  double completeness;           /* share of the rays in the frame on which the rim exceeds the SBR cut */
  double confidence;             /* a heuristic, 0 to 1, that this is a rim; under 0.5: unsure */
  double correlation_px;         /* length over which errors of the contour go together */
  pyicg_measurement area_mm2, thickness_px, thickness_mm, sbr;
  uint64_t n_vertices; /* of each contour */
  uint32_t not_star_shaped, clipped_by_border;
} pyicg_lesion;

/* A bright region of a bed; the one with the highest peak comes first. */
typedef struct pyicg_hot_spot {
  double peak_sbr; /* of the smoothed signal */
  double peak_y, peak_x;
  double area_px;
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

/* Copies the data and checks them. The profile is given back with pyicg_profile_destroy. */
PYICG_API pyicg_status pyicg_profile_create(const pyicg_profile_data* data, pyicg_profile** out,
                                            pyicg_error* error) PYICG_NOEXCEPT;
/* A profile may be destroyed while scorers still use it: they hold a share. NULL is fine. */
PYICG_API void pyicg_profile_destroy(pyicg_profile* profile) PYICG_NOEXCEPT;

/* Frames must have the profile's height and width. The scorer is given back with pyicg_scorer_destroy. */
PYICG_API pyicg_status pyicg_scorer_create(const pyicg_profile* profile, const pyicg_scorer_options* options,
                                           pyicg_scorer** out, pyicg_error* error) PYICG_NOEXCEPT;
/* NULL is fine. */
PYICG_API void pyicg_scorer_destroy(pyicg_scorer* scorer) PYICG_NOEXCEPT;

/* Scores one frame, which is read in place (packed pixels are unpacked first) and not looked at after the call. A call
 * that fails fills `out` too, so that nothing of the frame before stays: numbers are NaN, signs unknown, counts 0, the
 * timestamp that of the frame. */
PYICG_API pyicg_status pyicg_scorer_score(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                                          pyicg_error* error) PYICG_NOEXCEPT;

/* What the last score holds in variable number; before a first score and after a failed one, nothing. Each fills up to
 * `capacity` elements, writes how many there are to `count` and returns PYICG_TRUNCATED when the array was short; with
 * capacity 0 the array may be NULL. PYICG_ERROR_ARGUMENT and PYICG_ERROR_BUSY leave array and count as they are. */
PYICG_API pyicg_status pyicg_scorer_lesions(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity,
                                            uint64_t* count) PYICG_NOEXCEPT;
PYICG_API pyicg_status pyicg_scorer_hot_spots(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                              uint64_t* count) PYICG_NOEXCEPT;
/* Contour vertices as y, x pairs: capacity and count are in doubles. outer = 0: the inner contour, the tumour's edge.
 * Closed: from the last vertex back to the first, which is not repeated. */
PYICG_API pyicg_status pyicg_scorer_contour(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx,
                                            uint64_t capacity, uint64_t* count) PYICG_NOEXCEPT;
/* Calibrated frame, in the unit of the levels, and validity mask, height x width, row-major. */
PYICG_API pyicg_status pyicg_scorer_data(const pyicg_scorer* scorer, float* array, uint64_t capacity,
                                         uint64_t* count) PYICG_NOEXCEPT;
PYICG_API pyicg_status pyicg_scorer_mask(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity,
                                         uint64_t* count) PYICG_NOEXCEPT;

/* Every function above as a table, for hosts that load the library by hand or take it from Python's capsule
 * "pyicg._capi.api". Later versions add to its end: compare abi_version, then struct_size. Static storage. */
typedef struct pyicg_api {
  uint32_t struct_size;
  uint32_t abi_version;
  const char* (*version_string)(void);
  const char* (*status_string)(uint32_t status);
  const char* (*reason_string)(uint32_t reason);
  pyicg_status (*profile_create)(const pyicg_profile_data* data, pyicg_profile** out, pyicg_error* error);
  void (*profile_destroy)(pyicg_profile* profile);
  pyicg_status (*scorer_create)(const pyicg_profile* profile, const pyicg_scorer_options* options, pyicg_scorer** out,
                                pyicg_error* error);
  void (*scorer_destroy)(pyicg_scorer* scorer);
  pyicg_status (*scorer_score)(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                               pyicg_error* error);
  pyicg_status (*scorer_lesions)(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity, uint64_t* count);
  pyicg_status (*scorer_hot_spots)(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                   uint64_t* count);
  pyicg_status (*scorer_contour)(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx, uint64_t capacity,
                                 uint64_t* count);
  pyicg_status (*scorer_data)(const pyicg_scorer* scorer, float* array, uint64_t capacity, uint64_t* count);
  pyicg_status (*scorer_mask)(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity, uint64_t* count);
} pyicg_api;
PYICG_API const pyicg_api* pyicg_api_table(void) PYICG_NOEXCEPT;

/* Structs to begin with, made by the caller's compiler and hence of the size that it knows. */

static inline pyicg_error pyicg_no_error(void) {
  pyicg_error error;
  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  return error;
}

/* Counts alone, no calibration: every result says uncalibrated until maps and `calibrated` are set. saturation_dn is
 * the largest count a pixel can have, 4095 of 12 bits; INFINITY: unknown. */
static inline pyicg_profile_data pyicg_identity_profile(uint64_t height, uint64_t width, double saturation_dn) {
  pyicg_profile_data data;
  memset(&data, 0, sizeof data);
  data.struct_size = sizeof data;
  data.height = height;
  data.width = width;
  data.linearity[0] = 1;
  data.saturation_dn = saturation_dn;
  data.exposure_ms = data.exposure_min_ms = data.exposure_max_ms = NAN;
  data.dark_mean_exposure_ms = data.dark_exposure_sd_ms = NAN;
  data.gain_db = data.gain_dn_per_e = data.read_noise_dn = data.response_nm_per_dn_ms = NAN;
  return data;
}

/* An SBR cut of 1.5 and smoothing by 1 px, as in Python: assumptions. Pixel size, area and blur are unknown. */
static inline pyicg_scorer_options pyicg_options_for(pyicg_view view) {
  pyicg_scorer_options options;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.view = view;
  options.sbr_cut = 1.5;
  options.smooth_px = 1;
  options.pixel_size_mm = options.min_area_px = options.psf_sigma_px = NAN;
  return options;
}

/* Rows without padding, as they were exposed by the profile. */
static inline pyicg_frame pyicg_frame_of(const void* data, pyicg_pixel_format format, uint64_t height, uint64_t width) {
  static const uint8_t bits[] = {0, 8, 16, 32, 10, 12};
  pyicg_frame frame;
  memset(&frame, 0, sizeof frame);
  frame.struct_size = sizeof frame;
  frame.pixel_format = format;
  frame.data = data;
  frame.height = height;
  frame.width = width;
  if (frame.pixel_format < sizeof bits) frame.stride_bytes = (int64_t)((width * bits[frame.pixel_format] + 7) / 8);
  frame.exposure_ms = frame.gain_db = NAN;
  return frame;
}

static inline pyicg_frame_score pyicg_empty_score(void) {
  pyicg_frame_score score;
  memset(&score, 0, sizeof score);
  score.struct_size = sizeof score;
  return score;
}

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-redundant-void-arg,modernize-avoid-c-arrays) */

#endif /* PYICG_PYICG_H */
