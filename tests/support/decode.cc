#include "support/decode.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>

namespace seawall::test {
namespace {

std::optional<std::size_t> gunzip(std::string_view body, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool is_whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return is_whole ? std::optional<std::size_t>(stream.total_out) : std::nullopt;
}

std::optional<std::size_t> unbrotli(std::string_view body, std::string& out) {
  std::size_t size = out.size();
  const auto result = BrotliDecoderDecompress(body.size(), reinterpret_cast<const std::uint8_t*>(body.data()), &size,
                                              reinterpret_cast<std::uint8_t*>(out.data()));
  return result == BROTLI_DECODER_RESULT_SUCCESS ? std::optional(size) : std::nullopt;
}

std::optional<std::size_t> unzstd(std::string_view body, std::string& out) {
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), body.data(), body.size());
  return ZSTD_isError(size) == 0 ? std::optional(size) : std::nullopt;
}

}  // namespace

std::optional<std::string> decode(std::string_view coding, std::string_view body, std::size_t most_bytes) {
  std::string out(most_bytes, '\0');
  std::optional<std::size_t> size;
  if (coding == "gzip") size = gunzip(body, out);
  if (coding == "br") size = unbrotli(body, out);
  if (coding == "zstd") size = unzstd(body, out);
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

}  // namespace seawall::test
