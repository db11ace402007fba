/* SPDX-License-Identifier: Apache-2.0 */
/* Bucket configurations: whatever is taken must render to what reads back the same. */
#include "store/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	auto_of(objstore_config) struct objstore_config *c = NULL, *again = NULL;
	if (objstore_config_parse("fuzz", (const char *)data, size, &c, &e) < 0)
		return 0;
	auto_buf struct buf text = { 0 }, again_text = { 0 };
	objstore_config_render(c, &text);
	/* A value with "${" in it, which only the environment can have put there, would be expanded anew. */
	if (strchr(buf_str(&text), '$'))
		return 0;
	if (objstore_config_parse("fuzz", buf_str(&text), text.len, &again, &e) < 0)
		abort();
	objstore_config_render(again, &again_text);
	if (strcmp(buf_str(&text), buf_str(&again_text)) != 0 || strcmp(c->prefix, again->prefix) != 0)
		abort();
	if (c->type == OBJSTORE_FILESYSTEM &&
		strcmp(c->filesystem.directory, again->filesystem.directory) != 0)
		abort();
	return 0;
}
