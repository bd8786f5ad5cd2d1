// What is known of an object's forms in content codings besides those that are there: whether there may be any, and
// which have been asked for or gain nothing; and the same of its body packed in memory. Thread: any, lock-free.
#pragma once

#include <atomic>
#include <cstdint>

#include "http/coding.h"

namespace seawall::cache {

class EncodingState {
 public:
  // Once somebody has looked: whether there may be forms, and whether answers then name Accept-Encoding in Vary.
  bool is_judged() const { return has(kJudged); }
  bool may_encode() const { return has(kMayEncode); }
  bool adds_vary() const { return has(kAddsVary); }
  void judge(bool may_encode, bool adds_vary) {
    set(kJudged | (may_encode ? kMayEncode : 0U) | (may_encode && adds_vary ? kAddsVary : 0U));
  }

  // True for one who asks, until give_up(); not for a form that gains nothing.
  bool try_ask(http::Coding coding) {
    const unsigned asked = bit(kAsked, coding);
    if (has(asked | bit(kUseless, coding))) return false;
    return (bits_.fetch_or(static_cast<std::uint16_t>(asked), std::memory_order_relaxed) & asked) == 0;
  }
  // It may be asked for again.
  void give_up(http::Coding coding) {
    bits_.fetch_and(static_cast<std::uint16_t>(~bit(kAsked, coding)), std::memory_order_relaxed);
  }
  void mark_useless(http::Coding coding) { set(bit(kUseless, coding)); }

  // Whether its body may be packed: true for one who asks, until give_up_packing(); not where that gains nothing.
  bool may_ask_packing() const { return !has(kPackingAsked | kPackingUseless); }
  bool try_ask_packing() {
    if (!may_ask_packing()) return false;
    return (bits_.fetch_or(kPackingAsked, std::memory_order_relaxed) & kPackingAsked) == 0;
  }
  bool is_packing_asked() const { return has(kPackingAsked); }
  void give_up_packing() { bits_.fetch_and(static_cast<std::uint16_t>(~kPackingAsked), std::memory_order_relaxed); }
  void mark_packing_useless() {
    set(kPackingUseless);
    give_up_packing();
  }
  // One answer more from the packed body; how many that makes, from 0 again past kMaxPackedAnswers.
  unsigned count_packed_answer() {
    return ((bits_.fetch_add(kPackedAnswer, std::memory_order_relaxed) / kPackedAnswer) + 1) % (kMaxPackedAnswers + 1);
  }
  static constexpr unsigned kMaxPackedAnswers = 15;

  // Of an object with the same body, and other fields perhaps.
  void take_useless(const EncodingState& other) { set(other.bits() & kUselessMask); }
  // Of an object that differs in its forms alone. Who packs that one's body tells nobody else when it comes to nothing.
  void take_all(const EncodingState& other) { set(other.bits() & ~kPackingAsked); }
  // Of an object that differs in whether its body is packed.
  void take_of_forms(const EncodingState& other) { set(other.bits() & ((kPackingAsked - 1U) | kUselessMask)); }

 private:
  static constexpr unsigned kJudged = 1;
  static constexpr unsigned kMayEncode = 2;
  static constexpr unsigned kAddsVary = 4;
  static constexpr unsigned kAsked = 3;    // the first of a bit for each coding
  static constexpr unsigned kUseless = 8;  // likewise
  static_assert(http::kCodings.size() <= 3);
  static constexpr unsigned kPackingAsked = 1U << 6;
  static constexpr unsigned kPackingUseless = 1U << 11;
  static constexpr unsigned kPackedAnswer = 1U << 12;  // four bits, to the end
  static constexpr unsigned kUselessMask = (((1U << http::kCodings.size()) - 1U) << kUseless) | kPackingUseless;

  static constexpr unsigned bit(unsigned first, http::Coding coding) {
    return 1U << (first + static_cast<unsigned>(coding));
  }
  unsigned bits() const { return bits_.load(std::memory_order_relaxed); }
  // Any of them.
  bool has(unsigned wanted) const { return (bits() & wanted) != 0; }
  void set(unsigned more) { bits_.fetch_or(static_cast<std::uint16_t>(more), std::memory_order_relaxed); }

  std::atomic<std::uint16_t> bits_{0};
};

}  // namespace seawall::cache
