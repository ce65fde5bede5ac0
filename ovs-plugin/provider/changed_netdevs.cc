// SPDX-License-Identifier: Apache-2.0

#include "changed_netdevs.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/poll-loop.h"
#include "seq.h"
}

namespace eoip {

ChangedNetdevs::ChangedNetdevs() : seq_(seq_create())
{
}

void ChangedNetdevs::add(void *netdev)
{
    const std::lock_guard lock(mutex_);

    if (netdevs_.insert(netdev).second) {
        have_some_ = true;
        seq_change(seq_);
    }
}

void ChangedNetdevs::remove(void *netdev)
{
    const std::lock_guard lock(mutex_);

    netdevs_.erase(netdev);
}

void *ChangedNetdevs::next()
{
    if (!have_some_) {
        return nullptr;
    }
    const std::lock_guard lock(mutex_);
    void *netdev = nullptr;
    if (!netdevs_.empty()) {
        netdev = *netdevs_.begin();
        netdevs_.erase(netdevs_.begin());
    }
    have_some_ = !netdevs_.empty();
    return netdev;
}

void ChangedNetdevs::wait() const
{
    const std::uint64_t seen = seq_read(seq_);

    if (have_some_) {
        poll_immediate_wake();
    } else {
        seq_wait(seq_, seen);
    }
}

}  // namespace eoip
