/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/interrupt.h"

_Thread_local struct interrupt *interrupt_current;

int interrupt_ask(struct interrupt *i)
{
	int r = i->ask(i->arg);
	if (r == 0)
		i->credit = INTERRUPT_CREDIT;
	return r;
}
