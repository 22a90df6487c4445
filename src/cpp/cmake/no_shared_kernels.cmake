# cmake -DNM=nm -DOBJECTS=a.o;b.o -P no_shared_kernels.cmake
# The linker keeps one copy of a weak symbol for the whole program. One that was compiled for a newer instruction set
# would crash an older processor, so the objects of the kernels must not define any.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --defined-only -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" shared "${symbols}")
  if(shared)
    list(JOIN shared "\n" shared)
    message(FATAL_ERROR "${object} defines weak symbols:\n${shared}")
  endif()
endforeach()
