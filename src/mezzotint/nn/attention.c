/* softmax(QK'/sqrt(d))V in bfloat16 for CPUs that multiply it, by AMX tiles or AVX-512.

   Keys go by in blocks, with a running maximum and sum (Milakov & Gimelshein 2018; Dao et al. 2022,
   algorithm 1), or without a maximum where lengths alone show that no score is far from zero.
   Everything is transposed, so that the 16 lanes of a register are 16 queries: scores are K.Q',
   their maxima and sums are vertical, and what is mixed is V'.P'. Products and sums are float32;
   only the weights of the mixture are rounded to bfloat16, as PyTorch's are. */

#define _GNU_SOURCE
#include <math.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lanes.h"

/* A tile is 16 rows of 32 bf16. As a left factor it is 16 rows of 32 columns; as a right factor,
   16 pairs of rows, of which the two numbers of a column stand together. */
enum { TILE = 16 * 32, BLOCK = 128, GROUP = 32, GROUPS = 4, WIDEST = 512, SLACK = 16, CALM = 80 };

/* Of a group of queries: what its weights are relative to, and their sum; and whether no score is
   beyond 2^CALM, far from what float32 can't hold, so that weights are as they are. */
typedef struct { __m512 top[2], sum[2]; int calm; } Softmax;

static inline __m512i count(int step)
{
    __m512i ranks = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_mullo_epi32(ranks, _mm512_set1_epi32(step));
}

/* 16 queries of d numbers to right factors, `steps` tiles; beyond the last row it is repeated. */
static void pack_queries(bf16 *to, const bf16 *from, long stride, long rows, int d, int steps)
{
    __m512i row = _mm512_min_epi32(count(1), _mm512_set1_epi32((int)(rows < 16 ? rows - 1 : 15)));
    __m512i at = _mm512_mullo_epi32(row, _mm512_set1_epi32((int)(2 * stride)));
    for (int r = 0; r < 16 * steps; r++, to += 32)
        _mm512_store_si512(to, 2 * r < d ? _mm512_i32gather_epi32(at, (const int *)(from + 2 * r), 1)
                                         : _mm512_setzero_si512());
}

/* 16 keys of d numbers to left factors, `steps` tiles; zeros beyond the last row. */
static void pack_keys(bf16 *to, const bf16 *from, long stride, long rows, int d, int steps)
{
    for (int s = 0; s < steps; s++)
        for (int i = 0; i < 16; i++, to += 32) {
            __mmask32 keep = i < rows ? before(d - 32 * s, 32) : 0;
            _mm512_store_si512(to, _mm512_maskz_loadu_epi16(keep, from + i * stride + 32 * s));
        }
}

/* The longest of 32 packed keys: the sum of its squares. NaN if one of them is not finite. */
static float longest(const bf16 *key, int steps)
{
    float most = 0, nothing = 0;
    for (int i = 0; i < 32; i++) {
        __m512 sum = _mm512_setzero_ps();
        for (int s = 0; s < steps; s++) {
            __m512bh x = (__m512bh)_mm512_load_si512(key + (i / 16 * steps + s) * TILE + i % 16 * 32);
            sum = _mm512_dpbf16_ps(sum, x, x);
        }
        const float square = _mm512_reduce_add_ps(sum);
        most = fmaxf(most, square), nothing += 0 * square;
    }
    return most + nothing;
}

/* Whether no score of 16 packed queries is beyond CALM, by Cauchy and Schwarz; not if one is NaN. */
static int calm(const bf16 *query, int steps, float square, float scale)
{
    __m512 sum = _mm512_setzero_ps();
    for (int r = 0; r < 16 * steps; r++, query += 32) {
        __m512bh x = (__m512bh)_mm512_load_si512(query);
        sum = _mm512_dpbf16_ps(sum, x, x);
    }
    sum = _mm512_mul_ps(sum, _mm512_set1_ps(square * scale * scale));
    return _mm512_cmp_ps_mask(sum, _mm512_set1_ps(CALM * CALM), _CMP_LE_OQ) == 0xffff;
}

/* 32 values of d numbers, transposed, to left factors, `tiles` tiles; zeros beyond the last. */
static void pack_values(bf16 *to, const bf16 *from, long stride, long rows, int d, int tiles)
{
    __m512i at = count((int)(2 * stride));
    for (int c = 0; c < 16 * tiles; c += 2, to += 64)
        for (int half = 0; half < 32; half += 16) {
            __mmask16 keep = c < d ? before(rows - half, 16) : 0;
            const int *pairs = (const int *)(from + half * stride + c);
            __m512i x = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), keep, at, pairs, 1);
            __m512i upper = _mm512_srli_epi32(x, 16);
            _mm256_store_si256((__m256i *)(to + half), _mm512_cvtepi32_epi16(x));
            _mm256_store_si256((__m256i *)(to + 32 + half), _mm512_cvtepi32_epi16(upper));
        }
}

#ifdef __AMX_BF16__

static void prepare_tiles(void)
{
    struct { uint8_t palette, row, none[14]; uint16_t bytes[16]; uint8_t rows[16]; } shapes = {.palette = 1};
    for (int i = 0; i < 8; i++) shapes.bytes[i] = 64, shapes.rows[i] = 16;
    _tile_loadconfig(&shapes);
}

static void release_tiles(void) { _tile_release(); }

/* The kernel of Linux has to be asked for them, once a process; 0 if it lets us. */
int ready(void) { return (int)syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18); }

/* c, 16·down rows of 32, (+)= the sum over steps of `down` left factors times two right ones. */
static inline void multiply(float *c, int fresh, int down, const bf16 *left, long beside,
                            long left_step, const bf16 *right, long beyond, long right_step,
                            int steps)
{
    if (fresh) {
        _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    } else {
        _tile_loadd(0, c, 128); _tile_loadd(1, c + 16, 128);
        if (down > 1) { _tile_loadd(2, c + 512, 128); _tile_loadd(3, c + 528, 128); }
    }
    for (int i = 0; i < steps; i++, left += left_step, right += right_step) {
        _tile_loadd(4, left, 64);
        _tile_loadd(6, right, 64); _tile_loadd(7, right + beyond, 64);
        _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7);
        if (down == 1) continue;
        _tile_loadd(5, left + beside, 64);
        _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, 128); _tile_stored(1, c + 16, 128);
    if (down > 1) { _tile_stored(2, c + 512, 128); _tile_stored(3, c + 528, 128); }
}

#else

static void prepare_tiles(void) {}
static void release_tiles(void) {}
int ready(void) { return 0; }

static inline void multiply(float *c, int fresh, int down, const bf16 *left, long beside,
                            long left_step, const bf16 *right, long beyond, long right_step,
                            int steps)
{
    for (int part = 0; part < 2 * down; part++) {
        float *at = c + part / 2 * 512 + part % 2 * 16;
        __m512 sums[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            sums[i] = fresh ? _mm512_setzero_ps() : _mm512_load_ps(at + 32 * i);
        for (int s = 0; s < steps; s++) {
            const bf16 *l = left + part / 2 * beside + s * left_step;
            const bf16 *r = right + part % 2 * beyond + s * right_step;
            for (int k = 0; k < 32; k += 2, r += 32) {
                __m512bh row = (__m512bh)_mm512_load_si512(r);
#pragma GCC unroll 16
                for (int i = 0; i < 16; i++) {
                    __m512i pair = _mm512_set1_epi32(*(const int *)(l + 32 * i + k));
                    sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)pair, row);
                }
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) _mm512_store_ps(at + 32 * i, sums[i]);
    }
}

#endif

/* Let what weights are relative to follow the maximum of the scores, and what was summed until now
   fade. It may stay behind by 2^SLACK, which costs no precision and spares nearly all of this. */
static void settle(Softmax *soft, const float *scores, int keys, __m512 scale, float *mixed, int d)
{
    for (int a = 0; a < 2; a++) {
        __m512 even = _mm512_set1_ps(-INFINITY), odd = even;
        for (const float *s = scores + 16 * a, *end = s + 32 * keys; s < end; s += 64) {
            even = _mm512_max_ps(even, _mm512_load_ps(s));
            odd = _mm512_max_ps(odd, _mm512_load_ps(s + 32));
        }
        __m512 top = _mm512_mul_ps(_mm512_max_ps(even, odd), scale);
        __m512 bound = _mm512_add_ps(soft->top[a], _mm512_set1_ps(SLACK));
        __mmask16 rises = _mm512_cmp_ps_mask(top, bound, _CMP_GT_OQ);
        if (!rises) continue;
        top = _mm512_mask_mov_ps(soft->top[a], rises, top);
        __m512 fade = power(_mm512_sub_ps(soft->top[a], top));
        soft->top[a] = top;
        soft->sum[a] = _mm512_mul_ps(soft->sum[a], fade);
        for (float *x = mixed + 16 * a, *end = x + 32 * d; x < end; x += 32)
            _mm512_store_ps(x, _mm512_mul_ps(fade, _mm512_load_ps(x)));
    }
}

static const uint8_t CHORD[64] = {0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 5, 6, 6, 7, 7, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 10, 10, 10, 10, 10, 9, 9, 9, 8, 8, 8, 7, 7, 6, 6, 5, 5, 4, 3, 3, 2, 1, 1};

/* Scores of 32 keys to their weights, two right factors. The sign, the exponent and the mantissa of
   a bf16 are its logarithm in steps of 1/128, but for what a chord is above 2^x; with a table for
   that, weights are made as 16-bit integers (after Schraudolph 1999). What is added to the sums is
   the weights as they were rounded, so that those of a row sum to 1 and a lone one is 1. */
static void weigh(Softmax *soft, const float *scores, __m512 scale, bf16 *weights)
{
    const __m512i zip = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    const __m512i above = _mm512_loadu_si512(CHORD);
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    scale = _mm512_mul_ps(scale, _mm512_set1_ps(128));
    for (int a = 0; a < 2; a++, scores += 16) {
        const __m512 one = _mm512_set1_ps(0x3f80);
        __m512 top = _mm512_fmsub_ps(soft->top[a], _mm512_set1_ps(128), one);
        __m512 sum = soft->sum[a];
#pragma GCC unroll 4
        for (int j = 0; j < 32; j += 2, weights += 32) {
            const float *s = scores + 32 * j;
            __m512i even = _mm512_cvtps_epi32(_mm512_fmsub_ps(_mm512_load_ps(s), scale, top));
            __m512i odd = _mm512_cvtps_epi32(_mm512_fmsub_ps(_mm512_load_ps(s + 32), scale, top));
            __m512i both = _mm512_shuffle_epi8(_mm512_packs_epi32(even, odd), zip);
            both = _mm512_max_epi16(both, _mm512_setzero_si512());
            __m512i bulge = _mm512_maskz_permutexvar_epi8(0x5555555555555555, _mm512_srli_epi16(both, 1), above);
            both = _mm512_sub_epi16(both, bulge);
            sum = _mm512_dpbf16_ps(sum, (__m512bh)both, ones);
            _mm512_store_si512(weights, both);
        }
        soft->sum[a] = sum;
    }
}

/* Rows of d numbers from what was mixed, a column each, divided by the sums. */
static void write_rows(bf16 *to, long stride, const float *mixed, const Softmax *soft, long rows,
                       int d)
{
    float share[32];
    for (int a = 0; a < 2; a++)
        _mm512_storeu_ps(share + 16 * a, _mm512_div_ps(_mm512_set1_ps(1), soft->sum[a]));
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < d; c += 16) {
            __m512 x = _mm512_i32gather_ps(count(128), mixed + 32 * c + i, 1);
            x = _mm512_mul_ps(x, _mm512_set1_ps(share[i]));
            __m256i rounded = (__m256i)_mm512_cvtneps_pbh(x);
            _mm256_mask_storeu_epi16(to + i * stride + c, (__mmask16)before(d - c, 16), rounded);
        }
}

/* Up to GROUPS groups of queries of one head, of packed keys and values. */
static void attend_rows(bf16 *out, long out_stride, const bf16 *query, long stride, long rows,
                        const bf16 *keys, const float *squares, const bf16 *values, long n, int d,
                        float scale)
{
    _Alignas(64) float scores[BLOCK * 32], mixed[GROUPS * WIDEST * 32];
    _Alignas(64) bf16 weights[BLOCK * 32], queries[GROUPS * 2 * WIDEST * 16];
    Softmax soft[GROUPS];
    const int steps = (d + 31) / 32, tiles = (d + 15) / 16, groups = (int)((rows + 31) / 32);
    const __m512 scales = _mm512_set1_ps(scale);

    float square = 0, nothing = 0;
    for (long i = 0; i < (n + 31) / 32; i++)
        square = fmaxf(square, squares[i]), nothing += 0 * squares[i];
    square += nothing;
    for (int g = 0; g < groups; g++) {
        bf16 *packed = queries + 2 * g * steps * TILE;
        for (int a = 0; a < 2; a++) {
            long first = 32 * g + 16 * a < rows ? 32 * g + 16 * a : rows - 1;
            pack_queries(packed + a * steps * TILE, query + first * stride, stride, rows - first, d,
                         steps);
        }
        soft[g].calm = calm(packed, steps, square, scale)
                       && calm(packed + steps * TILE, steps, square, scale);
        for (int a = 0; a < 2; a++) {
            soft[g].top[a] = _mm512_set1_ps(soft[g].calm ? 0 : square - INFINITY); /* or NaN */
            soft[g].sum[a] = _mm512_setzero_ps();
        }
    }
    memset(mixed, 0, sizeof(float) * groups * tiles * 512);

    for (long from = 0; from < n; from += BLOCK) {
        const int valid = (int)(n - from < BLOCK ? n - from : BLOCK), blocks = (valid + 31) / 32;
        const bf16 *key = keys + from / 16 * steps * TILE, *value = values + from / 32 * tiles * TILE;
        for (int g = 0; g < groups; g++) {
            float *mix = mixed + g * tiles * 512;
            for (int j = 0; j < blocks; j++)
                multiply(scores + 1024 * j, 1, 2, key + 2 * j * steps * TILE, steps * TILE, TILE,
                         queries + 2 * g * steps * TILE, steps * TILE, TILE, steps);
            for (int i = 32 * valid; i < 1024 * blocks; i++) scores[i] = -INFINITY;
            if (!soft[g].calm) settle(soft + g, scores, 32 * blocks, scales, mix, 16 * tiles);
            for (int j = 0; j < blocks; j++)
                weigh(soft + g, scores + 1024 * j, scales, weights + 2 * j * TILE);
            for (int t = 0; t < tiles; t += 2)
                multiply(mix + 512 * t, 0, t + 1 < tiles ? 2 : 1, value + t * TILE, TILE,
                         tiles * TILE, weights, TILE, 2 * TILE, blocks);
        }
    }
    for (int g = 0; g < groups; g++)
        write_rows(out + 32 * g * out_stride, out_stride, mixed + g * tiles * 512, soft + g,
                   rows - 32 * g < 32 ? rows - 32 * g : 32, d);
}

/* Sizes are b, heads, m, n, d and threads, then the strides of batch, head and row of queries, keys
   and values; `packed` holds b·heads·ceil(n, 32)·(ceil(d, 32) + ceil(d, 16)), `squares` one for each
   32 keys; out is (b, m, heads, d). The d of a row stand side by side and are even in number, at
   most WIDEST. */
void attend(bf16 *out, const bf16 *query, const bf16 *key, const bf16 *value, bf16 *packed,
            float *squares, const long *sizes, float scale)
{
    const long heads = sizes[1], m = sizes[2], n = sizes[3], *by = sizes + 6;
    const int d = (int)sizes[4], steps = (d + 31) / 32, tiles = (d + 15) / 16;
    const long all = sizes[0] * heads, blocks = (n + 31) / 32, rows = GROUP * GROUPS;
    const long parts = (m + rows - 1) / rows;
    const long key_size = blocks * 2 * steps * TILE, value_size = blocks * tiles * TILE;
    bf16 *packed_values = packed + all * key_size;

#pragma omp parallel num_threads((int)sizes[5])
    {
        prepare_tiles();
#pragma omp for schedule(static)
        for (long i = 0; i < all * blocks; i++) {
            const long head = i / blocks, at = i % blocks * 32, left = n - at;
            const bf16 *k = key + head / heads * by[3] + head % heads * by[4] + at * by[5];
            const bf16 *v = value + head / heads * by[6] + head % heads * by[7] + at * by[8];
            bf16 *to = packed + head * key_size + at / 16 * steps * TILE;
            pack_keys(to, k, by[5], left, d, steps);
            pack_keys(to + steps * TILE, k + 16 * by[5], by[5], left - 16, d, steps);
            squares[i] = longest(to, steps);
            to = packed_values + head * value_size + at / 32 * tiles * TILE;
            pack_values(to, v, by[8], left, d, tiles);
        }
#pragma omp for schedule(dynamic)
        for (long i = 0; i < all * parts; i++) {
            const long head = i / parts, at = i % parts * rows;
            const bf16 *q = query + head / heads * by[0] + head % heads * by[1] + at * by[2];
            attend_rows(out + ((head / heads * m + at) * heads + head % heads) * d, heads * d, q,
                        by[2], m - at < rows ? m - at : rows, packed + head * key_size,
                        squares + head * blocks, packed_values + head * value_size, n, d,
                        scale * 1.44269504f);
        }
        release_tiles();
    }
}
