/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/web_config.h"

#include "lib/base/file.h"
#include "lib/base/yaml.h"
#include "lib/net/tls_files.h"

#include <errno.h>

#define PEM_MAX_BYTES (1u << 20)

void web_config_free(struct web_config *c)
{
	if (!c || atomic_fetch_sub(&c->users_of_it, 1) > 1)
		return;
	vec_each (f, &c->files)
		free(f->path);
	vec_fini(&c->files);
	free(c->cert_pem);
	free(c->key_pem);
	free(c->client_ca_pem);
	free(c->tls_priorities);
	http_users_free(c->users);
	http_params_fini(&c->headers);
	free(c);
}

struct web_config *web_config_hold(struct web_config *c)
{
	atomic_fetch_add(&c->users_of_it, 1);
	return c;
}

static void look_at(const char *path, struct stat *st)
{
	/* Zeros are a file that isn't there. */
	if (stat(path, st) < 0)
		*st = (struct stat){ 0 };
}

bool web_config_has_changed(struct web_config *c)
{
	bool has_changed = false;
	vec_each (f, &c->files) {
		struct stat now;
		look_at(f->path, &now);
		has_changed |= now.st_dev != f->st.st_dev || now.st_ino != f->st.st_ino ||
			       now.st_size != f->st.st_size || now.st_mtim.tv_sec != f->st.st_mtim.tv_sec ||
			       now.st_mtim.tv_nsec != f->st.st_mtim.tv_nsec;
		f->st = now;
	}
	return has_changed;
}

/* What is written to it from now on is noticed. */
static int read_file(struct web_config *c, const char *path, uint64_t most, struct buf *out, struct err *e)
{
	struct web_file f = { .path = xstrdup(path) };
	look_at(path, &f.st);
	vec_push(&c->files, f);
	return file_read(path, most, out, e);
}

/* The text of KEY, or what is in the file that KEY_file names; *out stays NULL where there is neither. */
static int read_pem(struct web_config *c, const struct yaml_node *map, const char *dir, const char *key,
	char **out, char **path, struct err *e)
{
	auto_free char *file_key = xasprintf("%s_file", key);
	const char *text = NULL, *name = NULL;
	int r = yaml_get_str(map, key, &text, e);
	if (r >= 0)
		r = yaml_get_str(map, file_key, &name, e);
	if (r < 0)
		return r;
	bool has_text = text && *text, has_file = name && *name;
	if (has_text && has_file)
		return yaml_fail(map, e, "%s and %s exclude each other", key, file_key);
	if (has_text)
		*out = xstrdup(text);
	if (!has_file)
		return 0;
	*path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
	auto_buf struct buf b = { 0 };
	struct err inner;
	if (read_file(c, *path, PEM_MAX_BYTES, &b, &inner) < 0)
		return yaml_fail(map, e, "%s: %s", file_key, inner.msg);
	*out = xstrdup(buf_str(&b));
	return 0;
}

static const struct {
	const char *name, *gnutls;
} versions[] = { { "TLS10", "1.0" }, { "TLS11", "1.1" }, { "TLS12", "1.2" }, { "TLS13", "1.3" } };

static int read_version(const struct yaml_node *map, const char *key, size_t *out, struct err *e)
{
	const char *text = NULL;
	int r = yaml_get_str(map, key, &text, e);
	if (r <= 0 || !*text)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		if (!strcmp(text, versions[i].name)) {
			*out = i;
			return 0;
		}
	return yaml_fail(
		yaml_get(map, key), e, "%s: \"%.32s\" is none of TLS10, TLS11, TLS12, TLS13", key, text);
}

static int read_priorities(const struct yaml_node *map, char **out, struct err *e)
{
	size_t lowest = 2, highest = ARRAY_LEN(versions) - 1;
	int r = read_version(map, "min_version", &lowest, e);
	if (r == 0)
		r = read_version(map, "max_version", &highest, e);
	if (r < 0)
		return r;
	if (lowest > highest)
		return yaml_fail(map, e, "min_version is above max_version");
	auto_buf struct buf b = { 0 };
	buf_add_str(&b, "NORMAL:-VERS-ALL");
	for (size_t i = lowest; i <= highest; i++)
		buf_printf(&b, ":+VERS-TLS%s", versions[i].gnutls);
	*out = xstrdup(buf_str(&b));
	return 0;
}

static int read_client_auth(const struct yaml_node *map, struct web_config *c, struct err *e)
{
	static const char *const words[] = { "NoClientCert", "RequestClientCert", "RequireAnyClientCert",
		"VerifyClientCertIfGiven", "RequireAndVerifyClientCert" };
	static const char *const old_words[] = { "NoClientCert", "RequestClientCert", "RequireClientCert" };
	const char *text = NULL;
	int r = yaml_get_str(map, "client_auth_type", &text, e);
	if (r < 0)
		return r;
	bool is_known = !text || !*text;
	for (size_t i = 0; !is_known && i < ARRAY_LEN(words); i++)
		if (!strcmp(text, words[i]) || (i < ARRAY_LEN(old_words) && !strcmp(text, old_words[i]))) {
			c->client_auth = (enum web_client_auth)i;
			is_known = true;
		}
	if (!is_known)
		return yaml_fail(map, e, "client_auth_type: \"%.64s\" is not known", text);
	bool verifies = c->client_auth == WEB_CLIENT_IF_GIVEN || c->client_auth == WEB_CLIENT_VERIFIED;
	if (verifies && !c->client_ca_pem)
		return yaml_fail(map, e, "client_auth_type %s needs client_ca_file", text);
	if (c->client_ca_pem && c->client_auth == WEB_CLIENT_ANY)
		return yaml_fail(map, e, "a client CA has been configured without a client_auth_type");
	return 0;
}

static int read_tls(const struct yaml_node *map, const char *dir, struct web_config *c, struct err *e)
{
	static const char *const known[] = { "cert_file", "key_file", "cert", "key", "client_auth_type",
		"client_ca_file", "client_ca", "min_version", "max_version", "prefer_server_cipher_suites",
		"cipher_suites", "curve_preferences", "client_allowed_sans", NULL };
	static const char *const refused[] = { "cipher_suites", "curve_preferences", "client_allowed_sans" };
	auto_free char *cert_path = NULL, *key_path = NULL, *ca_path = NULL;
	int r = yaml_check_keys(map, known, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(refused); i++) {
		const struct yaml_node *n = yaml_get(map, refused[i]);
		if (n && n->len)
			r = yaml_fail(n, e, "%s can't be chosen here", refused[i]);
	}
	if (r == 0)
		r = read_pem(c, map, dir, "cert", &c->cert_pem, &cert_path, e);
	if (r == 0)
		r = read_pem(c, map, dir, "key", &c->key_pem, &key_path, e);
	if (r == 0)
		r = read_pem(c, map, dir, "client_ca", &c->client_ca_pem, &ca_path, e);
	if (r < 0)
		return r;
	if (!c->cert_pem || !c->key_pem)
		return yaml_fail(map, e, "tls_server_config needs both a certificate and a key");
	if (cert_path && key_path) {
		struct err inner;
		r = tls_check_certificates("cert_file", cert_path, &inner);
		if (r == 0)
			r = tls_check_key("key_file", key_path, cert_path, &inner);
		if (r < 0)
			return yaml_fail(map, e, "%s", inner.msg);
	}
	r = read_client_auth(map, c, e);
	return r < 0 ? r : read_priorities(map, &c->tls_priorities, e);
}

static int read_users(const struct yaml_node *map, struct web_config *c, struct err *e)
{
	c->users = http_users_new();
	for (size_t i = 0; i < map->len; i++) {
		const struct yaml_node *n = map->items[i];
		struct err inner = { .msg = "is no text" };
		if (n->kind != YAML_SCALAR || http_users_add(c->users, map->keys[i], n->text, &inner) < 0)
			return yaml_fail(n, e, "basic_auth_users: %s", inner.msg);
	}
	return 0;
}

static int read_http(const struct yaml_node *map, struct web_config *c, struct err *e)
{
	static const char *const known[] = { "http2", "headers", NULL };
	static const char *const names[] = { "Content-Security-Policy", "X-Frame-Options",
		"X-Content-Type-Options", "X-XSS-Protection", "Strict-Transport-Security", NULL };
	const struct yaml_node *headers = NULL;
	int r = yaml_check_keys(map, known, e);
	if (r == 0)
		r = yaml_get_map(map, "headers", &headers, e);
	if (r > 0)
		r = yaml_check_keys(headers, names, e);
	for (size_t i = 0; r == 0 && headers && i < headers->len; i++) {
		const struct yaml_node *n = headers->items[i];
		if (n->kind != YAML_SCALAR || strpbrk(n->text, "\r\n"))
			r = yaml_fail(n, e, "header %s is no line of text", headers->keys[i]);
		else if (*n->text)
			http_params_add(&c->headers, headers->keys[i], strlen(headers->keys[i]), n->text,
				strlen(n->text));
	}
	return r;
}

static int read_all(const struct yaml_node *root, const char *dir, struct web_config *c, struct err *e)
{
	static const char *const known[] = { "tls_server_config", "http_server_config", "basic_auth_users",
		NULL };
	const struct yaml_node *tls = NULL, *http = NULL, *users = NULL;
	if (yaml_is_null(root))
		return 0;
	if (root->kind != YAML_MAP)
		return yaml_fail(root, e, "is no map");
	int r = yaml_check_keys(root, known, e);
	if (r == 0)
		r = yaml_get_map(root, "tls_server_config", &tls, e);
	if (r >= 0)
		r = yaml_get_map(root, "http_server_config", &http, e);
	if (r >= 0)
		r = yaml_get_map(root, "basic_auth_users", &users, e);
	if (r >= 0 && tls && tls->len)
		r = read_tls(tls, dir, c, e);
	if (r >= 0 && http)
		r = read_http(http, c, e);
	if (r >= 0 && users && users->len)
		r = read_users(users, c, e);
	return r < 0 ? r : 0;
}

int web_config_load(const char *path, struct web_config **out, struct err *e)
{
	auto_buf struct buf text = { 0 };
	auto_of(yaml_doc) struct yaml_doc *doc = NULL;
	auto_of(web_config) struct web_config *c = xcalloc(1, sizeof *c);
	const char *slash = strrchr(path, '/');
	auto_free char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	atomic_init(&c->users_of_it, 1);
	int r = read_file(c, path, YAML_MAX_BYTES, &text, e);
	if (r == 0)
		r = yaml_doc_parse(path, (const char *)text.data, text.len, &doc, e);
	if (r == 0)
		r = read_all(yaml_root(doc), dir, c, e);
	if (r < 0)
		return r;
	*out = take(c);
	return 0;
}
