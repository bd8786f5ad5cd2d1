// Intrusive doubly linked list. A node unlinks itself when destroyed. Thread: as its owner says.
#pragma once

#include <cstddef>

namespace seawall {

class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool is_linked() const { return next_ != nullptr; }
  void unlink() {
    if (!next_) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <typename T, ListNode T::*>
  friend class List;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
};

// List<Conn, &Conn::link_>: a T may be in as many lists as it has nodes.
template <typename T, ListNode T::* Member>
class List {
 public:
  List() { head_.prev_ = head_.next_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) pop_front();
    head_.next_ = head_.prev_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T* front() const { return empty() ? nullptr : owner(head_.next_); }
  T* back() const { return empty() ? nullptr : owner(head_.prev_); }
  void push_back(T& t) { insert(&(t.*Member), &head_); }
  void push_front(T& t) { insert(&(t.*Member), head_.next_); }
  T* pop_front() {
    T* t = front();
    if (t) (t->*Member).unlink();
    return t;
  }
  // The element after t, or nullptr.
  T* next(const T& t) const {
    ListNode* n = (t.*Member).next_;
    return n == &head_ ? nullptr : owner(n);
  }

 private:
  static T* owner(ListNode* n) {
    // offsetof on a member pointer: the distance is the same in every T.
    alignas(T) static unsigned char probe[sizeof(T)];
    auto* t = reinterpret_cast<T*>(probe);
    const auto offset = reinterpret_cast<unsigned char*>(&(t->*Member)) - probe;
    return reinterpret_cast<T*>(reinterpret_cast<unsigned char*>(n) - offset);
  }
  void insert(ListNode* n, ListNode* before) {
    n->unlink();
    n->prev_ = before->prev_;
    n->next_ = before;
    before->prev_->next_ = n;
    before->prev_ = n;
  }
  ListNode head_;
};

}  // namespace seawall
