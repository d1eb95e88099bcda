/* For tiles that are written once with their type and row count as parameters, and compiled for
 * each: loops over small arrays of vector registers must vanish, or the arrays end up in memory. */
#ifndef TRIVIUM_INLINE_H
#define TRIVIUM_INLINE_H

#define INLINE static inline __attribute__((always_inline))

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#endif
