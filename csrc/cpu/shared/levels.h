// Declares a kernel in the namespace of every level; free of the standard library's inline functions, which must not be
// compiled for an instruction set that the processor may lack.
#pragma once

#define PYBENCH_DECLARE_KERNEL(type, name) \
  namespace avx512 {                       \
  extern const type name;                  \
  }                                        \
  namespace avx2 {                         \
  extern const type name;                  \
  }                                        \
  namespace portable {                     \
  extern const type name;                  \
  }
