"""An extension that takes pyicg's functions from its table and links nothing."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import pyicg

setup(ext_modules=cythonize(Extension("score_raw", ["score_raw.pyx"], include_dirs=[pyicg.get_include()])))
