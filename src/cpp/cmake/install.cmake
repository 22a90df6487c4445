# What `cmake --install` gives: headers, libraries, CMake package, pkg-config file. A wheel carries the same inside its
# Python package, where nothing can be a symbolic link.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(root "")
if(SKBUILD)
  set(root pyicg/)
  set(CMAKE_INSTALL_LIBDIR lib)
  set(CMAKE_INSTALL_BINDIR bin)
  set(CMAKE_INSTALL_INCLUDEDIR include)
endif()
set(library ${root}${CMAKE_INSTALL_LIBDIR})
set(include ${root}${CMAKE_INSTALL_INCLUDEDIR})
set(package ${library}/cmake/pyicg)

install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/pyicg DESTINATION ${include})
if(NOT SKBUILD)  # a wheel has it among its metadata
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
install(TARGETS pyicg_core pyicg_static EXPORT pyicg
  ARCHIVE DESTINATION ${library}
  INCLUDES DESTINATION ${include})

list(TRANSFORM PYICG_CXX_RUNTIME PREPEND -l OUTPUT_VARIABLE PYICG_STATIC_NEEDS)
list(APPEND PYICG_STATIC_NEEDS -lm -pthread)
list(JOIN PYICG_STATIC_NEEDS " " PYICG_STATIC_NEEDS)

set(PYICG_LIBS "-lpyicg ${PYICG_STATIC_NEEDS}")
if(PYICG_BUILD_SHARED)
  set(PYICG_LIBS -lpyicg)
  set(namelink "")
  if(SKBUILD AND UNIX)
    set(namelink NAMELINK_SKIP)
    if(APPLE)
      set(PYICG_LIBS -lpyicg.${PYICG_ABI_VERSION})
    else()
      # In place of the link: a script that linkers read.
      set(script ${CMAKE_CURRENT_BINARY_DIR}/linker_script/libpyicg.so)
      file(GENERATE OUTPUT ${script} CONTENT "INPUT($<TARGET_SONAME_FILE_NAME:pyicg_shared>)\n")
      install(FILES ${script} DESTINATION ${library})
    endif()
  endif()
  install(TARGETS pyicg_shared EXPORT pyicg
    LIBRARY DESTINATION ${library} ${namelink}
    ARCHIVE DESTINATION ${library}
    RUNTIME DESTINATION ${root}${CMAKE_INSTALL_BINDIR}
    INCLUDES DESTINATION ${include})
endif()

install(EXPORT pyicg FILE pyicg-targets.cmake NAMESPACE pyicg:: DESTINATION ${package})
configure_file(${CMAKE_CURRENT_LIST_DIR}/pyicg-config.cmake.in pyicg-config.cmake @ONLY)
# While the version is 0.x a minor release may change an interface.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/pyicg-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/pyicg-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/pyicg-config-version.cmake
  DESTINATION ${package})

if(NOT MSVC)
  # From the folder of pyicg.pc back to the prefix, so that the whole may be moved.
  file(RELATIVE_PATH PYICG_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" PYICG_UP "${PYICG_UP}")
  configure_file(${CMAKE_CURRENT_LIST_DIR}/pyicg.pc.in pyicg.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pyicg.pc DESTINATION ${library}/pkgconfig)
endif()
