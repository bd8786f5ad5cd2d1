// A stored response. Immutable once published, shared by every worker that serves it: its head stands ready to send
// and its body is a chain of slices, so a hit is one reference and one gathered write. A 304 makes a new Object over
// the same slices. What is too seldom asked for may have its body packed instead. All it occupies is charged to the
// budget for as long as anybody holds it. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/list.h"
#include "base/ref.h"
#include "cache/disk_body.h"
#include "cache/encoding_state.h"
#include "cache/eviction.h"
#include "cache/packed_body.h"
#include "cache/refresh_gate.h"
#include "cache/share_group.h"
#include "http/coding.h"
#include "http/header_map.h"
#include "http/range.h"
#include "mem/budget.h"
#include "mem/slice.h"
#include "policy/freshness.h"
#include "policy/vary.h"

namespace seawall::cache {

// A run of the representation that is held.
struct Part {
  std::uint64_t first = 0;
  std::uint64_t size = 0;
  SliceChain slices;
};

class Object;

// The whole body once more, in a content coding of our own making: an object of its own, with head and body and nothing
// else, that is never published by itself.
struct Form {
  http::Coding coding;
  Ref<const Object> object;
};

// A whole body: as it is sent, or packed.
struct WholeBody {
  SliceChain slices;
  Ref<const PackedBody> packed;
};

class Object final : public RefCounted<Object> {
 public:
  struct Init {
    std::string key;
    std::uint64_t hash = 0;
    std::uint16_t status = 200;  // 200 for a partial object too
    std::string reason;
    http::HeaderMap
        headers;  // as storable_fields() left them, Via and Date added; no Content-Length, Age, Content-Range
    http::HeaderMap trailers;
    policy::Freshness freshness;
    policy::VarySpec vary;
    std::string selecting_values;   // of the request it answered
    std::vector<Part> parts;        // sorted, disjoint, not adjacent; exactly one from 0 when complete
    Ref<const DiskBody> disk_body;  // where all of the body is, instead of parts; null: not on disk only
    std::uint64_t complete_length = 0;
    bool no_content_length = false;  // 204 and such: Content-Length must not be sent
    std::vector<std::string> tags;   // to purge it by; see policy/tags.h
    std::uint64_t purge_epoch = 0;   // PurgeList::epoch() of before it was asked for
    std::uint32_t fetch_ms = 0;      // how long that took
    Ref<ShareGroup> share;           // null: none
    std::vector<Form> forms;         // of the whole of `parts`; at most one of each coding
    Ref<const PackedBody> packed;    // instead of `parts`, and complete; null: they are not packed
    bool is_from_disk = false;
  };
  static Ref<Object> create(MemoryBudget& budget, Init init);
  // A copy over the same parts.
  Ref<Object> with_freshness(MemoryBudget& budget, const policy::Freshness& freshness, std::uint64_t purge_epoch) const;
  // The same, and with one form more, whose body this is. To all who know this object it is the same.
  Ref<Object> with_form(MemoryBudget& budget, http::Coding coding, SliceChain body) const;
  // The same with its body, which is complete, in that state. To all who know this object it is the same.
  Ref<Object> with_body(MemoryBudget& budget, WholeBody body) const;
  // The forms for an object over the same parts with these fields.
  std::vector<Form> forms_under(MemoryBudget& budget, const http::HeaderMap& fields) const;

  const std::string& key() const { return d_.key; }
  std::uint64_t hash() const { return d_.hash; }
  std::uint16_t status() const { return d_.status; }
  const std::string& reason() const { return d_.reason; }
  const http::HeaderMap& headers() const { return d_.headers; }
  const http::HeaderMap& trailers() const { return d_.trailers; }
  const policy::Freshness& freshness() const { return d_.freshness; }
  const policy::VarySpec& vary() const { return d_.vary; }
  const std::string& selecting_values() const { return d_.selecting_values; }
  // None when it is packed, or on disk.
  const std::vector<Part>& parts() const { return d_.parts; }
  // Null: it is not.
  const Ref<const PackedBody>& packed() const { return d_.packed; }
  std::uint64_t complete_length() const { return d_.complete_length; }
  // All of the body is there, in memory or on disk.
  bool is_complete() const { return is_complete_; }
  // Null: what there is of the body is in memory.
  const DiskBody* disk_body() const { return d_.disk_body.get(); }
  // Its body is packed, or on disk: it has to be read from a BodySource.
  bool needs_source() const { return d_.packed || d_.disk_body; }
  bool sends_content_length() const { return !d_.no_content_length; }
  const std::vector<std::string>& tags() const { return d_.tags; }
  std::uint32_t fetch_ms() const { return d_.fetch_ms; }
  const Ref<ShareGroup>& share() const { return d_.share; }
  // Read from there; what was stored since is newer.
  bool is_from_disk() const { return d_.is_from_disk; }
  // It has been held against the purge rules up to this one.
  std::uint64_t purge_epoch() const { return purge_epoch_.load(std::memory_order_relaxed); }
  RefreshGate& refresh() const { return refresh_; }
  // Null: there is none.
  const Form* form(http::Coding coding) const;
  EncodingState& encoding() const { return encoding_; }
  // Itself, or a copy of it that differs in its forms, or in whether its body is packed.
  bool is_same_as(const Object& other) const { return identity_ == other.identity_; }

  // Status line, every stored field and Content-Length: all of the head of a full answer but Age, Cache-Status,
  // Connection and the closing empty line.
  std::string_view head_block() const { return head_block_; }
  // All of a full answer lies there as it is sent: the body is whole, and nothing comes after it.
  bool is_ready() const { return is_ready_; }
  // The whole body; only when complete, and in memory as it is sent.
  const SliceChain& body() const;
  // The slices that hold `range`; empty when not all of it is held, or it needs a source.
  SliceChain slices_of(http::ByteRange range) const;
  // Whether both are over the same bytes in memory.
  bool shares_body_with(const Object& other) const;

  // Everything it holds: body segments, head, headers, forms, index node. What the eviction policy and the per-object
  // limit count.
  std::size_t charged_bytes() const { return charged_bytes_; }

  // The policy's own; see eviction.h for who may touch what. `size_bytes` is charged_bytes().
  EvictionEntry& eviction() const { return eviction_; }
  static const Object& of(const EvictionEntry& entry);

 private:
  friend class RefCounted<Object>;
  friend class Store;

  struct Entry : EvictionEntry {
    const Object* owner = nullptr;
  };
  // Under the store's policy lock; the protocol is in store.cc.
  enum class Listing : std::uint8_t { kNotYet, kListed, kRetired };

  Object(MemoryBudget& budget, Init init);
  ~Object() = default;
  std::size_t own_bytes() const;
  Ref<const Object> make_form(MemoryBudget& budget, const http::HeaderMap& fields, http::Coding coding,
                              SliceChain body) const;

  Init d_;
  std::string head_block_;
  bool is_complete_;
  bool is_ready_;
  std::size_t charged_bytes_ = 0;
  BudgetCharge charge_;  // what is not in segments
  mutable Entry eviction_;
  mutable std::atomic<std::uint64_t> purge_epoch_;
  mutable RefreshGate refresh_;
  mutable EncodingState encoding_;
  mutable std::atomic<bool> is_published_{false};
  mutable Listing listing_ = Listing::kNotYet;
  // Whom the with_...() began with, and whom all but with_freshness() did. Not by address: he may be gone, and another
  // in his place.
  const std::uint64_t serial_;
  std::uint64_t original_ = serial_;
  std::uint64_t identity_ = serial_;
};

}  // namespace seawall::cache
