#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace spillway::sched {

/// A list that mostly has one element, which lies in the list itself: no memory of its own, and none to fetch. With any other number
/// of elements they lie in a vector. References stay valid until the next resize or emplace_back.
template <class T>
class Few {
 public:
  Few() = default;

  std::size_t size() const { return single_ ? 1 : many_.size(); }
  bool empty() const { return !single_ && many_.empty(); }
  T* data() { return single_ ? &one_ : many_.data(); }
  const T* data() const { return single_ ? &one_ : many_.data(); }
  T* begin() { return data(); }
  T* end() { return data() + size(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }

  /// Keeps the first elements; new ones are T{}.
  void resize(std::size_t count) {
    if (count == size()) return;
    if (count == 1) {
      one_ = many_.empty() ? T{} : std::move(many_.front());
      many_.clear();
      single_ = true;
      return;
    }
    if (single_ && count > 0) many_.push_back(std::move(one_));
    if (single_) one_ = T{};
    single_ = false;
    many_.resize(count);
  }
  void clear() { resize(0); }
  T& emplace_back() {
    resize(size() + 1);
    return (*this)[size() - 1];
  }

 private:
  bool single_ = false;
  T one_{};
  std::vector<T> many_;  // empty with one element
};

}  // namespace spillway::sched
