/* What kernels in bfloat16 share: registers of 16 float32 or 32 bfloat16, and 2^x in them. */

#include <immintrin.h>
#include <stdint.h>

typedef uint16_t bf16;

/* Of 16 or of 32 lanes those before `end`, which may be anything. */
static inline uint32_t before(long end, int lanes)
{
    return end <= 0 ? 0 : end >= lanes ? (uint32_t)((1ull << lanes) - 1) : (1u << end) - 1;
}

/* 2^x to 1e-4 of it, far below what bfloat16 tells apart; exact where x is whole, 0 of -infinity.
   Exact, so that a row whose maximum stays is left alone when its neighbour's rises. */
static inline __m512 power(__m512 x)
{
    __m512 f = _mm512_reduce_ps(x, 0x09); /* x - floor(x) */
    __m512 y = _mm512_set1_ps(0.07826797f);
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.22630768f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.6954243f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1));
    return _mm512_scalef_ps(y, x);
}
