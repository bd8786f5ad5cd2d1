#include "cache/object.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "cache/index.h"
#include "http/h1_writer.h"
#include "mem/allocator.h"
#include "policy/encoding.h"

namespace seawall::cache {
namespace {

std::size_t heap_bytes(const std::string& s) {
  static const std::size_t kInline = std::string().capacity();
  return s.capacity() > kInline ? block_bytes(s.data()) : 0;
}

template <typename T>
std::size_t heap_bytes(const std::vector<T>& v) {
  return v.capacity() > 0 ? block_bytes(v.data()) : 0;
}

// Each distinct segment once.
std::size_t segment_bytes(const std::vector<Part>& parts) {
  std::vector<const Segment*> segments;
  for (const Part& part : parts) {
    for (const Slice& slice : part.slices) {
      if (slice.segment()) segments.push_back(slice.segment().get());
    }
  }
  std::ranges::sort(segments);
  const auto repeated = std::ranges::unique(segments);
  segments.erase(repeated.begin(), repeated.end());
  std::size_t n = 0;
  for (const Segment* s : segments) n += s->charged_bytes();
  return n;
}

// What was built by appending has room to spare, which would be charged for as long as the object lives.
void drop_spare_capacity(Object::Init& init) {
  init.key.shrink_to_fit();
  init.reason.shrink_to_fit();
  init.selecting_values.shrink_to_fit();
  for (http::HeaderMap* map : {&init.headers, &init.trailers}) {
    http::HeaderMap tight = *map;
    std::swap(*map, tight);  // an assignment would keep the old buffers
  }
  init.vary.names.shrink_to_fit();
  init.tags.shrink_to_fit();
  init.parts.shrink_to_fit();
  for (Part& part : init.parts) part.slices.shrink_to_fit();
  init.forms.shrink_to_fit();
}

bool holds_everything(const Object::Init& init) {
  if (init.packed || init.disk_body) return true;
  if (init.parts.empty()) return init.complete_length == 0;
  return init.parts.size() == 1 && init.parts[0].first == 0 && init.parts[0].size == init.complete_length;
}

// When neither fresh nor in a stale window any more, in seconds of WallTime; 0 is never. What is always validated is as
// good at any age.
std::uint32_t useless_from(const policy::Freshness& f) {
  if (f.no_cache) return 0;
  const Seconds usable = f.lifetime - f.corrected_initial_age + std::max(f.stale_while_revalidate, f.stale_if_error);
  const std::int64_t at = f.response_time.unix_seconds() + std::max(usable, Seconds{0}).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(at, 0, std::numeric_limits<std::uint32_t>::max()));
}

std::string compose_head(const Object::Init& init) {
  std::string head;
  http::append_status_line(head, init.status, init.reason);
  http::append_fields(head, init.headers);
  if (!init.no_content_length) http::append_field(head, "Content-Length", init.complete_length);
  head.shrink_to_fit();
  return head;
}

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Ref<Object> Object::create(MemoryBudget& budget, Init init) {
  drop_spare_capacity(init);
  return Ref<Object>(new Object(budget, std::move(init)));
}

Ref<Object> Object::with_freshness(MemoryBudget& budget, const policy::Freshness& freshness,
                                   std::uint64_t purge_epoch) const {
  Init init = d_;
  init.freshness = freshness;
  init.purge_epoch = purge_epoch;
  Ref<Object> copy = create(budget, std::move(init));
  copy->original_ = original_;
  copy->encoding_.take_useless(encoding_);
  return copy;
}

Ref<Object> Object::with_form(MemoryBudget& budget, http::Coding coding, SliceChain body) const {
  Init init = d_;
  init.purge_epoch = purge_epoch();
  init.forms.push_back({coding, make_form(budget, d_.headers, coding, std::move(body))});
  Ref<Object> copy = create(budget, std::move(init));
  copy->original_ = original_;
  copy->identity_ = identity_;
  copy->encoding_.take_all(encoding_);
  copy->refresh_.take(refresh_);
  return copy;
}

Ref<Object> Object::with_body(MemoryBudget& budget, WholeBody body) const {
  SW_DASSERT(is_complete_, "a part of a body");
  Init init = d_;
  init.purge_epoch = purge_epoch();
  init.parts.clear();
  if (!body.packed) init.parts.push_back({.first = 0, .size = d_.complete_length, .slices = std::move(body.slices)});
  init.packed = std::move(body.packed);
  init.disk_body = nullptr;
  Ref<Object> copy = create(budget, std::move(init));
  copy->original_ = original_;
  copy->identity_ = identity_;
  copy->encoding_.take_of_forms(encoding_);
  copy->refresh_.take(refresh_);
  return copy;
}

std::vector<Form> Object::forms_under(MemoryBudget& budget, const http::HeaderMap& fields) const {
  std::vector<Form> forms;
  forms.reserve(d_.forms.size());
  for (const Form& form : d_.forms) {
    forms.push_back({form.coding, make_form(budget, fields, form.coding, form.object->body())});
  }
  return forms;
}

Ref<const Object> Object::make_form(MemoryBudget& budget, const http::HeaderMap& fields, http::Coding coding,
                                    SliceChain body) const {
  Init init;
  init.status = d_.status;
  init.reason = d_.reason;
  init.headers = policy::encoded_fields(fields, coding);
  init.complete_length = total_size(body);
  init.parts.push_back({.first = 0, .size = init.complete_length, .slices = std::move(body)});
  return create(budget, std::move(init));
}

const Form* Object::form(http::Coding coding) const {
  const auto at = std::ranges::find(d_.forms, coding, &Form::coding);
  return at == d_.forms.end() ? nullptr : &*at;
}

Object::Object(MemoryBudget& budget, Init init)
    : d_(std::move(init)),
      head_block_(compose_head(d_)),
      is_complete_(holds_everything(d_)),
      is_ready_(is_complete_ && !needs_source() && d_.trailers.empty()),
      purge_epoch_(d_.purge_epoch),
      serial_(next_serial()) {
  const std::size_t own = own_bytes();
  charge_ = BudgetCharge(budget, own);
  charged_bytes_ = own + segment_bytes(d_.parts) + kIndexNodeBytes;
  if (d_.packed) charged_bytes_ += d_.packed->charged_bytes();
  for (const Form& form : d_.forms) charged_bytes_ += form.object->charged_bytes() - kIndexNodeBytes;
  eviction_.owner = this;
  eviction_.key_hash = d_.hash;
  eviction_.size_bytes = charged_bytes_;
  eviction_.expires_s = useless_from(d_.freshness);
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint16_t>::max();
  eviction_.cost_ms = static_cast<std::uint16_t>(std::min(d_.fetch_ms, kMost));
}

std::size_t Object::own_bytes() const {
  std::size_t n = block_bytes(this) + heap_bytes(head_block_);
  n += heap_bytes(d_.key) + heap_bytes(d_.reason) + heap_bytes(d_.selecting_values);
  n += d_.headers.heap_bytes() + d_.trailers.heap_bytes();
  for (const std::vector<std::string>* list : {&d_.vary.names, &d_.tags}) {
    n += heap_bytes(*list);
    for (const std::string& s : *list) n += heap_bytes(s);
  }
  n += heap_bytes(d_.parts);
  for (const Part& part : d_.parts) n += heap_bytes(part.slices);
  n += heap_bytes(d_.forms);
  if (d_.disk_body) n += sizeof(DiskBody);
  return n;
}

const SliceChain& Object::body() const {
  SW_CHECK(is_complete_ && !needs_source(), "a whole body that lies in memory as it is sent");
  static const SliceChain kEmpty;
  return d_.parts.empty() ? kEmpty : d_.parts.front().slices;
}

SliceChain Object::slices_of(http::ByteRange range) const {
  SliceChain out;
  if (range.last < range.first) return out;
  // The last part that begins at or before the range.
  auto part = std::ranges::upper_bound(d_.parts, range.first, {}, &Part::first);
  if (part == d_.parts.begin()) return out;
  --part;
  if (range.last - part->first >= part->size) return out;

  std::uint64_t skip = range.first - part->first;
  std::uint64_t left = range.size();
  for (const Slice& slice : part->slices) {
    if (skip >= slice.size()) {
      skip -= slice.size();
      continue;
    }
    const std::uint64_t n = std::min<std::uint64_t>(left, slice.size() - skip);
    out.push_back(slice.subslice(skip, n));
    skip = 0;
    left -= n;
    if (left == 0) break;
  }
  return out;
}

bool Object::shares_body_with(const Object& other) const {
  const auto bytes_of = [](const Slice& slice) { return slice.data(); };
  return d_.packed == other.d_.packed &&
         std::ranges::equal(d_.parts, other.d_.parts, [&](const Part& a, const Part& b) {
           return a.first == b.first && std::ranges::equal(a.slices, b.slices, {}, bytes_of, bytes_of);
         });
}

const Object& Object::of(const EvictionEntry& entry) {
  return *static_cast<const Entry&>(entry).owner;
}

}  // namespace seawall::cache
