// SPDX-License-Identifier: GPL-2.0
/*
 * One fault of each kind that tests/kasan must find.  "insmod planted.ko
 * fault=NAME" commits it; tests/kasan/run fails when nothing was reported.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

static char *fault = "";
module_param(fault, charp, 0);

static int bytes = 64;
module_param(bytes, int, 0);

static DEFINE_MUTEX(planted_one);
static DEFINE_MUTEX(planted_two);
static DEFINE_SPINLOCK(planted_spin);
static void __rcu *planted_pointer;
static volatile char planted_sink;

static int planted_use_after_free(void)
{
	volatile char *p = kmalloc(bytes, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree((void *)p);
	planted_sink = p[bytes / 2];
	return 0;
}

static int planted_out_of_bounds(void)
{
	volatile char *p = kmalloc(bytes, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	planted_sink = p[bytes];
	kfree((void *)p);
	return 0;
}

/* Enough of them that a stale pointer on a stack does not hide them all. */
static int planted_leak(void)
{
	int i;

	for (i = 0; i < 16; i++)
		if (!kmalloc(bytes, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static int planted_lock_order(void)
{
	mutex_lock(&planted_one);
	mutex_lock(&planted_two);
	mutex_unlock(&planted_two);
	mutex_unlock(&planted_one);
	mutex_lock(&planted_two);
	mutex_lock(&planted_one);
	mutex_unlock(&planted_one);
	mutex_unlock(&planted_two);
	return 0;
}

static int planted_atomic_sleep(void)
{
	spin_lock(&planted_spin);
	might_sleep();
	spin_unlock(&planted_spin);
	return 0;
}

static int planted_rcu(void)
{
	planted_sink = !rcu_dereference(planted_pointer);
	return 0;
}

static int planted_shift(void)
{
	planted_sink = 1 << bytes;
	return 0;
}

static int planted_preempt(void)
{
	planted_sink = smp_processor_id();
	return 0;
}

static int planted_warning(void)
{
	WARN_ON(bytes);
	return 0;
}

static const struct {
	const char *name;
	int (*commit)(void);
} planted[] = {
	{ "use_after_free", planted_use_after_free },
	{ "out_of_bounds", planted_out_of_bounds },
	{ "leak", planted_leak },
	{ "lock_order", planted_lock_order },
	{ "atomic_sleep", planted_atomic_sleep },
	{ "rcu", planted_rcu },
	{ "shift", planted_shift },
	{ "warning", planted_warning },
	{ "preempt", planted_preempt },
};

static int __init planted_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(planted); i++)
		if (!strcmp(fault, planted[i].name))
			return planted[i].commit();
	return -EINVAL;
}
module_init(planted_init);

static void __exit planted_exit(void)
{
}
module_exit(planted_exit);

MODULE_DESCRIPTION("Faults for tests/kasan to find");
MODULE_LICENSE("GPL");
