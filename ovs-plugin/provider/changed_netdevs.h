// SPDX-License-Identifier: Apache-2.0
//
// Netdevs of which something else is true now, and OVS has not heard yet.

#ifndef EOIP_CHANGED_NETDEVS_H
#define EOIP_CHANGED_NETDEVS_H

#include <atomic>
#include <mutex>
#include <set>

struct seq;

namespace eoip {

class ChangedNetdevs {
public:
    ChangedNetdevs();

    // Any thread.  A netdev that goes has to be removed.
    void add(void *netdev);
    void remove(void *netdev);

    // Main thread: takes one, or returns null; and has poll_block() wake up
    // when there is one.
    [[nodiscard]] void *next();
    void wait() const;

private:
    std::mutex mutex_;
    std::set<void *> netdevs_;
    std::atomic<bool> have_some_{false};  // Known without the mutex.
    seq *const seq_;
};

}  // namespace eoip

#endif  // EOIP_CHANGED_NETDEVS_H
