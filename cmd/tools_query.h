/* SPDX-License-Identifier: Apache-2.0 */
/* thanosfs tools query: a client of the HTTP API, as `promtool query`. */
#ifndef CMD_TOOLS_QUERY_H
#define CMD_TOOLS_QUERY_H

#include "lib/base/flags.h"

extern const struct flag_set tools_query_flag_set;

#endif
