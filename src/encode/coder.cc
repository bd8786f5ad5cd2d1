#include "encode/coder.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace seawall::encode {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} * 1024;
// zlib's own: the largest window, with a gzip header in place of zlib's.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kGzipMemoryLevel = 8;

// What has come out so far, in segments without room to spare.
class Output {
 public:
  Output(std::uint64_t most_bytes, MemoryBudget* budget) : most_bytes_(most_bytes), budget_(budget) {}

  // Where the coder writes next; never empty.
  std::span<std::uint8_t> room() { return std::span(buffer_).subspan(used_); }
  // False when it is more than it may be.
  bool commit(std::size_t bytes) {
    used_ += bytes;
    size_ += bytes;
    if (used_ == buffer_.size()) flush();
    return size_ <= most_bytes_;
  }
  SliceChain take() {
    flush();
    return std::move(slices_);
  }

 private:
  void flush() {
    if (used_ == 0) return;
    slices_.push_back(Slice::copy_of(budget_, {reinterpret_cast<const char*>(buffer_.data()), used_}));
    used_ = 0;
  }

  const std::uint64_t most_bytes_;
  MemoryBudget* const budget_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kChunkBytes);
  std::size_t used_ = 0;
  std::uint64_t size_ = 0;
  SliceChain slices_;
};

class Coder {
 public:
  virtual ~Coder() = default;
  // Takes all of `in`; the last piece ends the stream.
  virtual std::expected<void, Failure> feed(std::string_view in, bool is_last, Output& out) = 0;
};

class GzipCoder final : public Coder {
 public:
  explicit GzipCoder(int level) {
    is_good_ = deflateInit2(&stream_, level, Z_DEFLATED, kGzipWindowBits, kGzipMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~GzipCoder() override {
    if (is_good_) deflateEnd(&stream_);
  }
  GzipCoder(const GzipCoder&) = delete;
  GzipCoder& operator=(const GzipCoder&) = delete;

  std::expected<void, Failure> feed(std::string_view in, bool is_last, Output& out) override {
    if (!is_good_) return std::unexpected(Failure::kLibrary);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    for (int status = Z_OK; status != Z_STREAM_END;) {
      const std::span<std::uint8_t> room = out.room();
      stream_.next_out = room.data();
      stream_.avail_out = static_cast<uInt>(room.size());
      status = deflate(&stream_, is_last ? Z_FINISH : Z_NO_FLUSH);
      if (status == Z_STREAM_ERROR) return std::unexpected(Failure::kLibrary);
      if (!out.commit(room.size() - stream_.avail_out)) return std::unexpected(Failure::kNoGain);
      if (!is_last && stream_.avail_out > 0) break;
    }
    return {};
  }

 private:
  z_stream stream_{};
  bool is_good_;
};

class BrotliCoder final : public Coder {
 public:
  BrotliCoder(int level, std::uint64_t size) : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!state_) return;
    BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(level));
    BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_SIZE_HINT, static_cast<std::uint32_t>(size));
  }

  std::expected<void, Failure> feed(std::string_view in, bool is_last, Output& out) override {
    if (!state_) return std::unexpected(Failure::kLibrary);
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    std::size_t left = in.size();
    const BrotliEncoderOperation operation = is_last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
    while (left > 0 || BrotliEncoderHasMoreOutput(state_.get()) != BROTLI_FALSE ||
           (is_last && BrotliEncoderIsFinished(state_.get()) == BROTLI_FALSE)) {
      const std::span<std::uint8_t> room = out.room();
      std::uint8_t* next_out = room.data();
      std::size_t room_left = room.size();
      if (BrotliEncoderCompressStream(state_.get(), operation, &left, &next_in, &room_left, &next_out, nullptr) ==
          BROTLI_FALSE) {
        return std::unexpected(Failure::kLibrary);
      }
      if (!out.commit(room.size() - room_left)) return std::unexpected(Failure::kNoGain);
    }
    return {};
  }

 private:
  struct Destroy {
    void operator()(BrotliEncoderState* state) const { BrotliEncoderDestroyInstance(state); }
  };
  std::unique_ptr<BrotliEncoderState, Destroy> state_;
};

class ZstdCoder final : public Coder {
 public:
  ZstdCoder(int level, std::uint64_t size) : context_(ZSTD_createCCtx()) {
    if (!context_) return;
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setPledgedSrcSize(context_.get(), size);
  }

  std::expected<void, Failure> feed(std::string_view in, bool is_last, Output& out) override {
    if (!context_) return std::unexpected(Failure::kLibrary);
    ZSTD_inBuffer input{.src = in.data(), .size = in.size(), .pos = 0};
    for (bool is_done = false; !is_done;) {
      const std::span<std::uint8_t> room = out.room();
      ZSTD_outBuffer output{.dst = room.data(), .size = room.size(), .pos = 0};
      const std::size_t left =
          ZSTD_compressStream2(context_.get(), &output, &input, is_last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left) != 0) return std::unexpected(Failure::kLibrary);
      if (!out.commit(output.pos)) return std::unexpected(Failure::kNoGain);
      is_done = is_last ? left == 0 : input.pos == input.size;
    }
    return {};
  }

 private:
  struct Destroy {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Destroy> context_;
};

std::unique_ptr<Coder> make_coder(http::Coding coding, int level, std::uint64_t size) {
  switch (coding) {
    case http::Coding::kGzip: return std::make_unique<GzipCoder>(level);
    case http::Coding::kBrotli: return std::make_unique<BrotliCoder>(level, size);
    case http::Coding::kZstd: return std::make_unique<ZstdCoder>(level, size);
  }
  std::unreachable();
}

}  // namespace

int Levels::of(http::Coding coding) const {
  switch (coding) {
    case http::Coding::kGzip: return gzip;
    case http::Coding::kBrotli: return brotli;
    case http::Coding::kZstd: return zstd;
  }
  std::unreachable();
}

std::expected<SliceChain, Failure> encode(const SliceChain& body, http::Coding coding, int level,
                                          std::uint64_t most_bytes, MemoryBudget* budget,
                                          const std::atomic<bool>& stop) {
  const std::unique_ptr<Coder> coder = make_coder(coding, level, total_size(body));
  Output out(most_bytes, budget);
  for (const Slice& slice : body) {
    for (std::size_t at = 0; at < slice.size(); at += kChunkBytes) {
      if (stop.load(std::memory_order_relaxed)) return std::unexpected(Failure::kStopped);
      if (auto fed = coder->feed(slice.view().substr(at, kChunkBytes), false, out); !fed) {
        return std::unexpected(fed.error());
      }
    }
  }
  if (auto ended = coder->feed({}, true, out); !ended) return std::unexpected(ended.error());
  return out.take();
}

}  // namespace seawall::encode
