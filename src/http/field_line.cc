#include "http/field_line.h"

#include <cstddef>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "http/chars.h"

namespace seawall::http {

namespace {

inline const char* find_control_inline(const char* p, const char* end) {
#ifdef __SSE2__
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i del = _mm_set1_epi8(0x7f);
  const __m128i tab = _mm_set1_epi8('\t');
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low), _mm_cmpeq_epi8(bytes, del));
    const int mask = _mm_movemask_epi8(bad);
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (p != end && is_class(*p, kFieldChar)) ++p;
  return p;
}

inline LineStatus read_crlf_inline(const char*& p, const char* end) {
  if (p == end) return LineStatus::kMore;
  if (*p != '\r') return LineStatus::kMalformed;
  if (end - p < 2) return LineStatus::kMore;
  if (p[1] != '\n') return LineStatus::kMalformed;
  p += 2;
  return LineStatus::kOk;
}

// The end of the name at `p`: its colon if it is well-formed, else the first byte that is not a name's, or end. A name
// that has a token needs no look at its bytes.
const char* find_name_end(const char* p, const char* end, Field& field) {
  field = Field::kOther;
#ifdef __SSE2__
  if (end - p >= 32) {
    const __m128i colon = _mm_set1_epi8(':');
    const auto colons_at = [&](const char* at) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, colon)));
    };
    unsigned mask = colons_at(p);
    if (mask == 0) mask = colons_at(p + 16) << 16;
    if (mask != 0) {
      const int size = __builtin_ctz(mask);
      field = field_from_name({p, static_cast<std::size_t>(size)});
      if (field != Field::kOther) return p + size;
    }
    while (p != end && is_class(*p, kTokenChar)) ++p;
    return p;
  }
#endif
  const char* name_end = p;
  while (name_end != end && is_class(*name_end, kTokenChar)) ++name_end;
  if (name_end != end) field = field_from_name({p, static_cast<std::size_t>(name_end - p)});
  return name_end;
}

}  // namespace

const char* find_control(const char* p, const char* end) {
  return find_control_inline(p, end);
}

LineStatus read_crlf(const char*& p, const char* end) {
  return read_crlf_inline(p, end);
}

LineStatus read_field_line(const char*& p, const char* end, FieldLine& out) {
  const char* name_end = find_name_end(p, end, out.field);
  if (name_end == end) return LineStatus::kMore;
  if (*name_end != ':' || name_end == p) return LineStatus::kMalformed;
  const char* value = name_end + 1;
  while (value != end && (*value == ' ' || *value == '\t')) ++value;
  const char* value_end = find_control_inline(value, end);
  const char* next = value_end;
  const LineStatus status = read_crlf_inline(next, end);
  if (status != LineStatus::kOk) return status;
  while (value_end != value && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
  out.name = {p, static_cast<std::size_t>(name_end - p)};
  out.value = {value, static_cast<std::size_t>(value_end - value)};
  out.text = {p, static_cast<std::size_t>(value_end - p)};
  p = next;
  return LineStatus::kOk;
}

}  // namespace seawall::http
