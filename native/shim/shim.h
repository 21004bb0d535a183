// A CPU stands in for a GPU, so that text nobody could run here is executed: the threads of a group are coroutines, run one
// after the other to each barrier and each sum of 32. Every array knows its size; fresh ones are NaN. Slow, and exact about
// what the text does to memory; it says nothing about speed, nor about what a real compiler accepts.
#pragma once
#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace shim {

inline std::string failure;  // the first thing that went wrong

inline void fail(const std::string & what) {
    if (failure.empty()) failure = what;
}

template <typename T>
struct View {  // an array with its size: a read or write outside is told, and touches nothing
    T * data;
    int64_t size;
    const char * name;
    T outside = T();
    T & operator[](int64_t i) {
        if (i >= 0 && i < size) return data[i];
        fail(std::string(name) + "[" + std::to_string(i) + "] of " + std::to_string(size));
        return outside = T();
    }
};

template <typename T>
struct Private {  // of one thread
    std::vector<T> data;
    View<T> view;
    Private(const char * name, int64_t size) : data(size, std::numeric_limits<T>::quiet_NaN()), view {data.data(), size, name} {}
    T & operator[](int64_t i) { return view[i]; }
};

struct Index { int x, y, z; };
enum Waits { NOTHING, BARRIER_, SUM_, XOR_ };

struct Thread {
    Index in_group, group;
    int lane_;
    Waits waits = NOTHING;
    float given = 0, taken = 0;
    int other = 0;
};

struct Group {  // what is shared
    std::vector<std::vector<float>> arrays;
    std::vector<std::string> names;
    View<float> local(const char * name, int64_t size) {
        for (size_t i = 0; i < names.size(); i++)
            if (names[i] == name) return {arrays[i].data(), size, name};
        names.push_back(name);
        arrays.push_back(std::vector<float>(size, std::numeric_limits<float>::quiet_NaN()));
        return {arrays.back().data(), size, name};
    }
};

struct Task {
    struct promise_type {
        Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { fail("an exception"); }
    };
    std::coroutine_handle<promise_type> handle;
};

struct Wait {
    Thread & me;
    Waits what;
    float x = 0;
    int other = 0;
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<>) { me.waits = what, me.given = x, me.other = other; }
    float await_resume() { return me.taken; }
};

inline bool meet(std::vector<Thread> & threads, std::vector<Task> & tasks, int from) {  // 32 threads at the same sum
    const Waits what = threads[from].waits;
    if (what != SUM_ && what != XOR_) return false;
    float sum = 0;
    for (int i = from; i < from + 32; i++) {
        if (threads[i].waits != what || tasks[i].handle.done()) return false;
        sum += threads[i].given;
    }
    for (int i = from; i < from + 32; i++) threads[i].taken = what == SUM_ ? sum : threads[from + ((i - from) ^ threads[i].other)].given;
    for (int i = from; i < from + 32; i++) threads[i].waits = NOTHING;
    return true;
}

// One group to its end. `order`: 0 threads run first to last, 1 last to first: a missed barrier shows in one of them.
inline void run_group(const std::function<Task(Thread &, Group &)> & kernel, Index group, int count, int order) {
    std::vector<Thread> threads(count);
    std::vector<Task> tasks;
    Group shared;
    shared.arrays.reserve(64);
    for (int i = 0; i < count; i++) threads[i].in_group = {i, 0, 0}, threads[i].group = group, threads[i].lane_ = i % 32;
    for (int i = 0; i < count; i++) tasks.push_back(kernel(threads[i], shared));
    for (bool moved = true; moved && failure.empty();) {
        moved = false;
        for (int n = 0; n < count; n++) {
            const int i = order ? count - 1 - n : n;
            if (threads[i].waits == NOTHING && !tasks[i].handle.done()) tasks[i].handle.resume(), moved = true;
        }
        for (int from = 0; from < count; from += 32) moved |= meet(threads, tasks, from);
        if (moved) continue;
        int waiting = 0, done = 0;
        for (int i = 0; i < count; i++) done += tasks[i].handle.done(), waiting += !tasks[i].handle.done() && threads[i].waits == BARRIER_;
        if (waiting == count) for (auto & t : threads) t.waits = NOTHING, moved = true;
        else if (done < count) fail("threads part at a barrier or a sum");
    }
    for (auto & t : tasks) t.handle.destroy();
}

inline float from_bits(uint32_t bits) { float x; std::memcpy(&x, &bits, 4); return x; }
inline uint32_t to_bits(float x) { uint32_t bits; std::memcpy(&bits, &x, 4); return bits; }

struct bfloat {
    uint16_t bits;
    bfloat() = default;
    explicit bfloat(float x) : bits((to_bits(x) + 0x7fff + (to_bits(x) >> 16 & 1)) >> 16) {}
    explicit operator float() const { return from_bits((uint32_t) bits << 16); }
};

struct half_ {
    uint16_t bits;
    half_() = default;
    explicit half_(float x) {
        const uint32_t sign = to_bits(x) >> 16 & 0x8000, b = to_bits(x) & 0x7fffffff;
        const float size = from_bits(b);
        if (!(size < 65520.0f)) bits = sign | (size != size ? 0x7e00 : 0x7c00);
        else if (size < 0x1p-14f) bits = sign | (to_bits(size + 0.5f) - to_bits(0.5f));
        else bits = sign | ((b + 0xfff + (b >> 13 & 1) - 0x38000000) >> 13);
    }
    explicit operator float() const { return from_bits((uint32_t) (bits & 0x8000) << 16 | to_bits(from_bits((uint32_t) (bits & 0x7fff) << 13) * 0x1p112f)); }
};

}  // namespace shim

// Metal
namespace mem_flags { enum { mem_threadgroup }; }
#define threadgroup_barrier(flags) (void) (flags), co_await shim::Wait {me, shim::BARRIER_}
#define simd_sum(x) (co_await shim::Wait {me, shim::SUM_, x})
#define thread_position_in_threadgroup me.in_group
#define threadgroup_position_in_grid me.group
// CUDA
#define __syncthreads() co_await shim::Wait {me, shim::BARRIER_}
#define __shfl_xor_sync(mask, x, lanes) (co_await shim::Wait {me, shim::XOR_, x, lanes})
#define threadIdx me.in_group
#define blockIdx me.group
