/* Group normalisation (Wu & He 2018, eq. 1) and the SiLU behind it, in bfloat16 and channels-last,
   for CPUs that multiply bfloat16.

   Maps go by twice: once for the sums of their channels and of the squares, once to be scaled,
   shifted and squashed. Both times in parts of PART pixels, whose sums are added up in double
   precision and in their order: the result does not depend on the number of threads. */

#include <math.h>
#include <string.h>

#include "lanes.h"

enum { PART = 256, WIDEST = 4096 };

static inline __m512 widened(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

static inline __m512 squashed(__m512 x)
{
    __m512 fade = power(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f))); /* e^-x */
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), fade));
}

/* Of each pair of channels, over some pixels: the sum, and the sum of squares. */
static void add_up(float *sums, float *squares, const bf16 *x, long pixels, int c)
{
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    for (int at = 0; at < c; at += 32) {
        const __mmask32 keep = before(c - at, 32);
        __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()}, square[2] = {sum[0], sum[0]};
        for (long p = 0; p < pixels; p++) {
            __m512bh here = (__m512bh)_mm512_maskz_loadu_epi16(keep, x + p * c + at);
            sum[p & 1] = _mm512_dpbf16_ps(sum[p & 1], here, ones);
            square[p & 1] = _mm512_dpbf16_ps(square[p & 1], here, here);
        }
        _mm512_storeu_ps(sums + at / 2, _mm512_add_ps(sum[0], sum[1]));
        _mm512_storeu_ps(squares + at / 2, _mm512_add_ps(square[0], square[1]));
    }
}

/* The sums of a part, a pair of numbers a group. */
static void fold(double *to, const bf16 *x, long pixels, int c, int groups)
{
    float sums[WIDEST / 2 + 16], squares[WIDEST / 2 + 16];
    const int pairs = c / groups / 2;
    add_up(sums, squares, x, pixels, c);
    for (int g = 0; g < groups; g++) {
        double sum = 0, square = 0;
        for (int i = g * pairs; i < (g + 1) * pairs; i++) sum += sums[i], square += squares[i];
        to[2 * g] = sum, to[2 * g + 1] = square;
    }
}

/* What the channels of one map are multiplied by, and what is added then. */
static void settle(float *scale, float *shift, const double *sums, long parts, long pixels, int c,
                   int groups, const bf16 *weight, const bf16 *bias, double eps)
{
    const int width = c / groups;
    for (int g = 0; g < groups; g++) {
        double sum = 0, square = 0, count = (double)width * pixels;
        for (long i = 0; i < parts; i++)
            sum += sums[2 * (i * groups + g)], square += sums[2 * (i * groups + g) + 1];
        double mean = sum / count, variance = square / count - mean * mean;
        double rate = 1 / sqrt((variance > 0 ? variance : 0) + eps);
        for (int i = g * width; i < (g + 1) * width; i++) {
            uint32_t w = (uint32_t)weight[i] << 16, b = (uint32_t)bias[i] << 16;
            float factor, offset;
            memcpy(&factor, &w, 4), memcpy(&offset, &b, 4);
            scale[i] = (float)(rate * factor);
            shift[i] = (float)(offset - mean * rate * factor);
        }
    }
}

static void write_part(bf16 *out, const bf16 *x, long pixels, int c, const float *scale,
                       const float *shift, int silu)
{
    for (long p = 0; p < pixels; p++, x += c, out += c)
        for (int at = 0; at < c; at += 32) {
            const __mmask32 keep = before(c - at, 32);
            __m512i both = _mm512_maskz_loadu_epi16(keep, x + at);
            __m512 low = widened(_mm512_castsi512_si256(both));
            __m512 high = widened(_mm512_extracti64x4_epi64(both, 1));
            low = _mm512_fmadd_ps(low, _mm512_loadu_ps(scale + at), _mm512_loadu_ps(shift + at));
            high = _mm512_fmadd_ps(high, _mm512_loadu_ps(scale + at + 16),
                                   _mm512_loadu_ps(shift + at + 16));
            if (silu) low = squashed(low), high = squashed(high);
            both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            _mm512_mask_storeu_epi16(out + at, keep, both);
        }
}

/* Sizes are b, pixels, c, groups, whether SiLU follows, and threads; `sums` holds 2·b·ceil(pixels,
   PART)·groups. Maps are (b, pixels, c); c is at most WIDEST, an even number a group. */
void normalise(bf16 *out, const bf16 *x, const bf16 *weight, const bf16 *bias, double *sums,
               const long *sizes, double eps)
{
    const long b = sizes[0], pixels = sizes[1], parts = (pixels + PART - 1) / PART;
    const int c = (int)sizes[2], groups = (int)sizes[3], silu = (int)sizes[4];

#pragma omp parallel num_threads((int)sizes[5])
    {
#pragma omp for schedule(static)
        for (long i = 0; i < b * parts; i++) {
            const long from = i % parts * PART, left = pixels - from;
            fold(sums + 2 * i * groups, x + (i / parts * pixels + from) * c,
                 left < PART ? left : PART, c, groups);
        }
        float scale[WIDEST + 32], shift[WIDEST + 32];
        long map = -1;
#pragma omp for schedule(static)
        for (long i = 0; i < b * parts; i++) {
            const long from = i % parts * PART, left = pixels - from;
            const long at = (i / parts * pixels + from) * c;
            if (map != i / parts) {
                map = i / parts;
                settle(scale, shift, sums + 2 * map * parts * groups, parts, pixels, c, groups,
                       weight, bias, eps);
            }
            write_part(out + at, x + at, left < PART ? left : PART, c, scale, shift, silu);
        }
    }
}
