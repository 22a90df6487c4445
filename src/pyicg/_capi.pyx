# cython: language_level=3, boundscheck=False, wraparound=False
"""The C interface as Python sees it: what `pyicg.capi` declares, called as any other extension would call it."""

import math
import operator
import sys
import threading

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.memoryview cimport PyMemoryView_GET_BUFFER
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from pyicg cimport capi

from pyicg.errors import InputError, ProfileError, UnitError


api = PyCapsule_New(<void*> capi.pyicg_api_table(), "pyicg._capi.api", NULL)


def abi_version():
    """Return the version of the C interface that is running."""
    return capi.pyicg_abi_version()


def version_string():
    """Return the release of the library, as "0.1.0"."""
    return capi.pyicg_version_string().decode()


cdef tuple _words(const char* (*word)(uint32_t) noexcept nogil):
    words = []
    while word(len(words)) != NULL:
        words.append(word(len(words)).decode())
    return tuple(words)


def status_strings():
    """Return the words of every status, in order of their values."""
    return _words(capi.pyicg_status_string)


def reason_strings():
    """Return the words of every reason, in order of their values."""
    return _words(capi.pyicg_reason_string)


cdef int _raise_for(capi.pyicg_status status, capi.pyicg_error* error, where="") except -1:
    if status == capi.PYICG_OK:
        return 0
    message = where + error.message.decode()
    if status == capi.PYICG_ERROR_PROFILE:
        raise ProfileError(message)
    if status == capi.PYICG_ERROR_UNIT:
        raise UnitError(message)
    if status == capi.PYICG_ERROR_MEMORY:
        raise MemoryError(message)
    if status == capi.PYICG_ERROR_INTERNAL or status == capi.PYICG_ERROR_BUSY:
        raise RuntimeError(message)
    raise InputError(message)


cdef uint64_t _expect(shape, uint64_t height, uint64_t width, name) except? 0:
    if shape != (height, width):
        raise ProfileError(f"{name} map: found shape {shape}, expected {(height, width)}")
    return height * width


cdef const float* _float_map(const float[:, ::1] map, uint64_t height, uint64_t width, name) except? NULL:
    if map is None:
        return NULL
    _expect((map.shape[0], map.shape[1]), height, width, name)
    return &map[0, 0]


cdef class Scorer:
    """One camera mode and one set of options; scores frames of (height, width) through the C interface.

    A second thread that calls while a frame is scored waits.

    Parameters
    ----------
    height, width : int
        Shape of every frame.
    dark, dark_rate, dark_sigma, flat, flat_sigma, read_noise_map, gain_map : ndarray of float32, or None
        Maps of shape (height, width), C-contiguous; see ``pyicg_profile_data``.
    bad : ndarray of uint8, shape (height, width), or None
        Non-zero: bad pixel. C-contiguous.
    linearity_table : ndarray of float64, shape (N,), or None
        Linear signal in steps of `linearity_step_dn` counts; takes the place of `linearity`.
    linearity, linearity_step_dn, saturation_dn, exposure_ms, exposure_min_ms, exposure_max_ms, dark_mean_exposure_ms, dark_exposure_sd_ms, gain_db, gain_dn_per_e, read_noise_dn, response_nm_per_dn_ms, calibrated
        As in ``pyicg_profile_data``; NaN where unknown.
    view : str
        "bed" or "section".
    sbr_cut, pixel_size_mm, min_area_px, smooth_px, psf_sigma_px, threads
        As in ``pyicg_scorer_options``.
    lesions : bool
        False: ``without_lesions``.

    Raises
    ------
    ProfileError, UnitError, InputError
        What the C interface says of profile and options.
    """

    cdef capi.pyicg_scorer* _handle
    cdef object _lock
    cdef uint64_t _height
    cdef uint64_t _width

    def __cinit__(
        self, uint64_t height, uint64_t width, *, const float[:, ::1] dark=None, const float[:, ::1] dark_rate=None,
        const float[:, ::1] dark_sigma=None, const float[:, ::1] flat=None, const float[:, ::1] flat_sigma=None,
        const float[:, ::1] read_noise_map=None, const float[:, ::1] gain_map=None, const uint8_t[:, ::1] bad=None,
        linearity=(1.0, 0.0, 0.0), const double[::1] linearity_table=None, double linearity_step_dn=math.nan,
        double saturation_dn=math.inf, double exposure_ms=math.nan, double exposure_min_ms=math.nan,
        double exposure_max_ms=math.nan, double dark_mean_exposure_ms=math.nan, double dark_exposure_sd_ms=math.nan,
        double gain_db=math.nan, double gain_dn_per_e=math.nan, double read_noise_dn=math.nan,
        double response_nm_per_dn_ms=math.nan, bint calibrated=False, view="bed", double sbr_cut=1.5,
        double pixel_size_mm=math.nan, double min_area_px=math.nan, double smooth_px=1.0,
        double psf_sigma_px=math.nan, bint lesions=True, uint32_t threads=1,
    ):
        cdef capi.pyicg_error error = capi.pyicg_no_error()
        cdef capi.pyicg_profile_data data = capi.pyicg_identity_profile(height, width, saturation_dn)
        data.calibrated = calibrated
        data.dark = _float_map(dark, height, width, "dark")
        data.dark_rate = _float_map(dark_rate, height, width, "dark_rate")
        data.dark_sigma = _float_map(dark_sigma, height, width, "dark_sigma")
        data.flat = _float_map(flat, height, width, "flat")
        data.flat_sigma = _float_map(flat_sigma, height, width, "flat_sigma")
        data.read_noise_map = _float_map(read_noise_map, height, width, "read_noise_map")
        data.gain_map = _float_map(gain_map, height, width, "gain_map")
        if bad is not None and _expect((bad.shape[0], bad.shape[1]), height, width, "bad"):
            data.bad = &bad[0, 0]
        data.linearity[0], data.linearity[1], data.linearity[2] = linearity
        if linearity_table is not None:
            if linearity_table.shape[0] == 0:
                raise ProfileError("the linearity table is empty, expected 2 values or more, the first 0; or None")
            data.linearity_table = &linearity_table[0]
            data.linearity_table_size = linearity_table.shape[0]
        data.linearity_step_dn = linearity_step_dn
        data.exposure_ms = exposure_ms
        data.exposure_min_ms = exposure_min_ms
        data.exposure_max_ms = exposure_max_ms
        data.dark_mean_exposure_ms = dark_mean_exposure_ms
        data.dark_exposure_sd_ms = dark_exposure_sd_ms
        data.gain_db = gain_db
        data.gain_dn_per_e = gain_dn_per_e
        data.read_noise_dn = read_noise_dn
        data.response_nm_per_dn_ms = response_nm_per_dn_ms

        if view not in ("bed", "section"):
            raise InputError(f'view must be "bed" or "section", found {view!r}')
        cdef capi.pyicg_scorer_options options = capi.pyicg_options_for(
            capi.PYICG_VIEW_BED if view == "bed" else capi.PYICG_VIEW_SECTION
        )
        options.sbr_cut = sbr_cut
        options.pixel_size_mm = pixel_size_mm
        options.min_area_px = min_area_px
        options.smooth_px = smooth_px
        options.psf_sigma_px = psf_sigma_px
        options.without_lesions = not lesions
        options.threads = threads

        self._lock = threading.RLock()  # a finalizer may ask for lesions while these are made
        self._height, self._width = height, width
        cdef capi.pyicg_profile* profile = NULL
        _raise_for(capi.pyicg_profile_create(&data, &profile, &error), &error)
        cdef capi.pyicg_status status = capi.pyicg_scorer_create(profile, &options, &self._handle, &error)
        capi.pyicg_profile_destroy(profile)  # the scorer holds a share
        _raise_for(status, &error)

    def __dealloc__(self):
        capi.pyicg_scorer_destroy(self._handle)

    def score(self, frame, double exposure_ms=math.nan, double gain_db=math.nan):
        """Score one frame and return ``pyicg_frame_score`` as a dictionary of numbers.

        Parameters
        ----------
        frame : buffer of uint8, uint16 or float32, shape (height, width)
            Rows may be padded or upside down, columns lie side by side; read in place, never copied.
        exposure_ms, gain_db : float
            How the frame was taken; NaN: as the profile says.

        Raises
        ------
        InputError, UnitError
            What the C interface says of the frame.
        """
        pixels = memoryview(frame)
        if pixels.ndim != 2:
            raise InputError(f"a frame has two axes, found {pixels.ndim}")
        cdef capi.pyicg_frame c_frame = _described(self, PyMemoryView_GET_BUFFER(pixels), 0, None)
        c_frame.exposure_ms = exposure_ms
        c_frame.gain_db = gain_db
        cdef capi.pyicg_frame_score score = capi.pyicg_empty_score()
        cdef capi.pyicg_error error = capi.pyicg_no_error()
        cdef capi.pyicg_status status
        with self._lock:
            with nogil:
                status = capi.pyicg_scorer_score(self._handle, &c_frame, &score, &error)
        _raise_for(status, &error)
        cdef dict result = score
        result["reasons"] = result["reasons"][: score.n_reasons]
        return result

    def lesions(self):
        """Return the lesions of the last frame, one dictionary per ``pyicg_lesion``."""
        cdef uint64_t count = 0
        cdef uint64_t i
        with self._lock:
            capi.pyicg_scorer_lesions(self._handle, NULL, 0, &count)
            array = <capi.pyicg_lesion*> PyMem_Calloc(count, sizeof(capi.pyicg_lesion))
            if array == NULL:
                raise MemoryError
            try:
                capi.pyicg_scorer_lesions(self._handle, array, count, &count)
                return [array[i] for i in range(count)]
            finally:
                PyMem_Free(array)

    def contours(self, uint64_t lesion):
        """Return the inner and outer contour of one lesion of the last frame, (N, 2) float64 (y, x), in pixels."""
        with self._lock:
            return _contours(self._handle, lesion)


# Both are read before anything of Python's is made: a finalizer may score another frame.
cdef tuple _contours(const capi.pyicg_scorer* handle, uint64_t lesion):
    cdef uint64_t count[2]
    cdef double* values
    cdef double[:, ::1] view
    contours = []
    for outer in range(2):
        if capi.pyicg_scorer_contour(handle, lesion, outer, NULL, 0, &count[outer]) == capi.PYICG_ERROR_ARGUMENT:
            raise IndexError(f"the last frame has no lesion {lesion}")
    values = <double*> PyMem_Calloc(count[0] + count[1], sizeof(double))
    if values == NULL:
        raise MemoryError
    try:
        capi.pyicg_scorer_contour(handle, lesion, 0, values, count[0], &count[0])
        capi.pyicg_scorer_contour(handle, lesion, 1, values + count[0], count[1], &count[1])
        for outer in range(2):
            contours.append(np.empty((count[outer] // 2, 2)))
            view = contours[outer]
            memcpy(&view[0, 0], values + (count[0] if outer else 0), count[outer] * sizeof(double))
    finally:
        PyMem_Free(values)
    return tuple(contours)


cdef object _dtype_of_a_score():
    cdef capi.pyicg_frame_score score
    return np.asarray(<capi.pyicg_frame_score[:1]> &score).dtype


cdef object _SCORE = _dtype_of_a_score()


def score_dtype():
    """Return the dtype of a record: one's own, since the names of a dtype may be changed."""
    return _SCORE.newbyteorder("=")  # made anew; the copies of numpy.dtype share their names


# The bits of a pixel that is packed, and what C calls it.
_PACKINGS = {"mono10p": (10, capi.PYICG_PIXEL_MONO10P), "mono12p": (12, capi.PYICG_PIXEL_MONO12P)}
_PIXELS = {"B": capi.PYICG_PIXEL_U8, "H": capi.PYICG_PIXEL_U16, "f": capi.PYICG_PIXEL_F32}
_NATIVE = "@=" + ("<" if sys.byteorder == "little" else ">")


# One frame in a buffer whose last two axes, from `axis` on, are its rows and columns.
cdef capi.pyicg_frame _described(Scorer scorer, Py_buffer* buffer, int axis, packing) except *:
    pixel = "B" if buffer.format == NULL else buffer.format.decode().lstrip(_NATIVE)
    columns = scorer._width
    if packing is None:
        if pixel not in _PIXELS:
            raise InputError(f"pixels must be uint8, uint16 or float32 in native order, found {pixel!r}")
        pixel_format = _PIXELS[pixel]
    else:
        if not isinstance(packing, str) or packing not in _PACKINGS or pixel != "B":
            raise InputError(f"packing is one of {tuple(_PACKINGS)} in bytes, found {packing!r} in {pixel!r}")
        bits, pixel_format = _PACKINGS[packing]
        columns = (columns * bits + 7) // 8
    shape = (buffer.shape[axis], buffer.shape[axis + 1])
    if shape != (scorer._height, columns):
        raise InputError(f"a frame has shape {shape}, expected {(scorer._height, columns)}")
    if buffer.suboffsets != NULL or (columns > 1 and buffer.strides[axis + 1] != buffer.itemsize):
        raise InputError("columns must lie side by side: a frame is read in place; copy it openly where they do not")
    cdef Py_ssize_t stride = buffer.strides[axis]
    if scorer._height > 1 and (abs(stride) < <Py_ssize_t> columns * buffer.itemsize or stride % buffer.itemsize != 0):
        raise InputError(f"rows must not overlap, found a step of {stride} bytes for rows of {columns} pixels")
    cdef capi.pyicg_frame frame = capi.pyicg_frame_of(buffer.buf, pixel_format, scorer._height, scorer._width)
    frame.stride_bytes = stride
    return frame


cdef class Stream:
    """Frames in a ring of slots, scored in place; see `pyicg.stream.StreamScorer`.

    Parameters
    ----------
    scorer : Scorer
        Whose shape the slots have.
    ring : buffer of three axes (slot, row, column), or list of buffers of two
        Held as long as the stream lives.
    packing : str or None
        "mono10p" or "mono12p": rows of packed bytes.
    """

    cdef readonly Scorer scorer
    cdef list _views
    cdef capi.pyicg_frame* _frames
    cdef readonly Py_ssize_t slots

    def __cinit__(self, Scorer scorer not None, ring, packing=None):
        cdef Py_buffer* buffer
        cdef Py_ssize_t k
        self.scorer = scorer
        apart = isinstance(ring, (list, tuple))
        self._views = [memoryview(part) for part in (ring if apart else (ring,))]
        for view in self._views:
            if view.ndim != (2 if apart else 3):
                raise InputError(
                    f"a ring has axes (slot, row, column), or is a list of slots with (row, column); found {view.ndim} axes"
                )
        self.slots = len(self._views) if apart else self._views[0].shape[0]
        if self.slots == 0:
            raise InputError("the ring has no slot")
        self._frames = <capi.pyicg_frame*> PyMem_Calloc(self.slots, sizeof(capi.pyicg_frame))
        if self._frames == NULL:
            raise MemoryError
        for k in range(self.slots):
            buffer = PyMemoryView_GET_BUFFER(self._views[k if apart else 0])
            self._frames[k] = _described(scorer, buffer, 0 if apart else 1, packing)
            if not apart:
                self._frames[k].data = <const char*> buffer.buf + k * buffer.strides[0]

    def __dealloc__(self):
        PyMem_Free(self._frames)

    def score(self, slot, double exposure_ms=math.nan, double gain_db=math.nan, timestamp_ns=0):
        """Score the frame in one slot; return a record of ``pyicg_frame_score``."""
        slot, timestamp_ns = operator.index(slot), operator.index(timestamp_ns)
        if not 0 <= slot < self.slots:
            raise InputError(f"slot {slot} of {self.slots}")
        if not 0 <= timestamp_ns < 2**64:
            raise InputError(f"timestamp_ns is {timestamp_ns}, expected 0 to 2**64 - 1: nanoseconds on the camera's clock")
        cdef capi.pyicg_frame frame = self._frames[<Py_ssize_t> slot]
        frame.exposure_ms = exposure_ms
        frame.gain_db = gain_db
        frame.timestamp_ns = timestamp_ns
        cdef capi.pyicg_frame_score score = capi.pyicg_empty_score()
        cdef capi.pyicg_error error = capi.pyicg_no_error()
        cdef capi.pyicg_status status
        with self.scorer._lock:
            with nogil:
                status = capi.pyicg_scorer_score(self.scorer._handle, &frame, &score, &error)
        _raise_for(status, &error, f"slot {slot}: ")
        return np.frombuffer((<const char*> &score)[: sizeof(score)], score_dtype())[0]

    def score_many(self, slots, double exposure_ms=math.nan, double gain_db=math.nan):
        """Score the frames of several slots, one after the other without the GIL; return an array of records.

        Signals are looked for after a few million pixels, or a thousand frames: Ctrl-C ends the call.
        """
        order = np.array(slots)  # a copy: nobody else writes to it meanwhile
        whole = order.ndim == 1 and (order.size == 0 or order.dtype.kind in "iu")
        if not whole or (order.size and not (0 <= order.min() and order.max() < self.slots)):
            raise InputError(f"slots must be a list of whole numbers from 0 to {self.slots - 1}")
        order = order.astype(np.intp)
        cdef const Py_ssize_t[::1] index = order
        cdef Py_ssize_t k = 0
        cdef Py_ssize_t count = index.shape[0]
        records = np.zeros(count, score_dtype())
        if count == 0:
            return records
        cdef uint8_t[::1] raw = records.view(np.uint8)
        cdef capi.pyicg_frame_score* scores = <capi.pyicg_frame_score*> &raw[0]
        cdef capi.pyicg_frame frame
        cdef capi.pyicg_error error = capi.pyicg_no_error()
        cdef capi.pyicg_status status = capi.PYICG_OK
        cdef Py_ssize_t between = min(2**22 // (self.scorer._height * self.scorer._width) + 1, 1000)  # frames
        with self.scorer._lock:
            with nogil:
                for k in range(count):
                    if k % between == between - 1:
                        with gil:
                            PyErr_CheckSignals()
                    frame = self._frames[index[k]]
                    frame.exposure_ms = exposure_ms
                    frame.gain_db = gain_db
                    scores[k] = capi.pyicg_empty_score()
                    status = capi.pyicg_scorer_score(self.scorer._handle, &frame, &scores[k], &error)
                    if status != capi.PYICG_OK:
                        break
        _raise_for(status, &error, f"slot {order[k]}: ")
        return records
