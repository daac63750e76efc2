#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "core/assert.h"
#include "sched/fetch.h"

namespace spillway::sched {

/// Values by their keys, each in a slot of its own that it keeps as long as it is there: references stay valid, and a slot's number
/// names it elsewhere. T has members `key` (of type Key, hashed by std::hash) and `slot` (std::uint32_t, set here). Open addressing with
/// linear probing and backward-shift deletion. Walked in order of the keys alone: the order of the table cannot leak into decisions.
template <class Key, class T>
class SlotTable {
 public:
  static constexpr std::uint32_t none = 0xffffffffU;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T* find(const Key& key) {
    const std::uint32_t slot = find_slot(key);
    return slot == none ? nullptr : &values_[slot];
  }
  const T* find(const Key& key) const {
    const std::uint32_t slot = find_slot(key);
    return slot == none ? nullptr : &values_[slot];
  }
  T& operator[](std::uint32_t slot) { return values_[slot]; }
  const T& operator[](std::uint32_t slot) const { return values_[slot]; }

  /// `key` will be looked for soon (fetch.h).
  void fetch_place(const Key& key) const {
    if (!places_.empty()) fetch(&places_[hash_of(key) & mask_]);
  }

  /// Its key is not there yet.
  T& insert(T&& value) {
    if ((size_ + 1) * 2 > places_.size()) grow();
    std::uint32_t slot = static_cast<std::uint32_t>(values_.size());
    if (free_.empty()) {
      values_.push_back(std::move(value));
    } else {
      slot = free_.back();
      free_.pop_back();
      values_[slot] = std::move(value);
    }
    T& made = values_[slot];
    made.slot = slot;
    const std::uint32_t hash = hash_of(made.key);
    std::size_t i = hash & mask_;
    for (; places_[i].slot != none; i = (i + 1) & mask_)
      SPILLWAY_ASSERT(places_[i].hash != hash || values_[places_[i].slot].key != made.key);
    places_[i] = {hash, slot};
    ++size_;
    return made;
  }

  /// One of the table. What it held is freed, its slot is for another.
  void erase(T& value) {
    const std::uint32_t slot = value.slot;
    std::size_t hole = hash_of(value.key) & mask_;
    while (places_[hole].slot != slot) {
      SPILLWAY_ASSERT(places_[hole].slot != none);
      hole = (hole + 1) & mask_;
    }
    for (std::size_t i = (hole + 1) & mask_; places_[i].slot != none; i = (i + 1) & mask_) {
      if (((i - places_[i].hash) & mask_) < ((i - hole) & mask_)) continue;
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = {};
    value = T{};
    free_.push_back(slot);
    --size_;
  }

  /// All of them by their keys. Linear and more: for what is rare.
  std::vector<T*> in_order() {
    std::vector<T*> all;
    for (const std::uint32_t slot : slots_in_order()) all.push_back(&values_[slot]);
    return all;
  }
  std::vector<const T*> in_order() const {
    std::vector<const T*> all;
    for (const std::uint32_t slot : slots_in_order()) all.push_back(&values_[slot]);
    return all;
  }

 private:
  struct Place {
    std::uint32_t hash = 0;  // its lowest bits are the home
    std::uint32_t slot = none;
  };

  static std::uint32_t hash_of(const Key& key) {
    return static_cast<std::uint32_t>((std::uint64_t{std::hash<Key>{}(key)} * 0xd6e8feb86659fd93ULL) >> 32U);
  }
  std::uint32_t find_slot(const Key& key) const {
    if (size_ == 0) return none;
    const std::uint32_t hash = hash_of(key);
    std::size_t i = hash & mask_;
    while (places_[i].slot != none && (places_[i].hash != hash || values_[places_[i].slot].key != key)) i = (i + 1) & mask_;
    return places_[i].slot;
  }
  std::vector<std::uint32_t> slots_in_order() const {
    std::vector<std::uint32_t> slots;
    slots.reserve(size_);
    for (const Place& place : places_) {
      if (place.slot != none) slots.push_back(place.slot);
    }
    std::sort(slots.begin(), slots.end(), [this](std::uint32_t a, std::uint32_t b) { return values_[a].key < values_[b].key; });
    return slots;
  }
  void grow() {
    std::vector<Place> before(places_.empty() ? 64 : places_.size() * 2);
    before.swap(places_);
    mask_ = places_.size() - 1;
    for (const Place& place : before) {
      if (place.slot == none) continue;
      std::size_t i = place.hash & mask_;
      while (places_[i].slot != none) i = (i + 1) & mask_;
      places_[i] = place;
    }
  }

  std::vector<Place> places_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
  std::deque<T> values_;
  std::vector<std::uint32_t> free_;
};

}  // namespace spillway::sched
