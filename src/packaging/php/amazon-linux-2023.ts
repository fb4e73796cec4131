/**
 * The libraries in /lib64 of the Amazon Linux 2023 image on which Lambda runs `provided.al2023` functions, and their
 * newest symbol versions. A layer for that base does not contain them. glibc is not listed, because no layer contains
 * it (`elf.ts`). Names are from the image's file list. Versions are read from the libraries or, where only a library's
 * release is known, from the versions that this release defines.
 */
import { compareVersions } from '../../elf/elf.ts';

/** The version of glibc on AWS. Programs and libraries that need a newer one do not start there. */
export const AMAZON_LINUX_2023_GLIBC = '2.34';

/** Library -> the newest version of each kind that it defines. Most libraries define none. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  'libacl.so.1': [],
  'libarchive.so.13': [],
  'libassuan.so.0': [],
  'libattr.so.1': [],
  'libaudit.so.1': [],
  'libauparse.so.0': [],
  'libblkid.so.1': [],
  'libbz2.so.1': [],
  'libc_malloc_debug.so.0': [],
  'libcap-ng.so.0': [],
  'libcap.so.2': [],
  'libcom_err.so.2': [],
  'libcrypto.so.3': ['OPENSSL_3.2.0'],
  'libcurl.so.4': [],
  'libdnf.so.2': [],
  'libdrop_ambient.so.0': [],
  'libffi.so.8': ['LIBFFI_BASE_8.0', 'LIBFFI_CLOSURE_8.0', 'LIBFFI_COMPLEX_8.0', 'LIBFFI_GO_CLOSURE_8.0'],
  'libform.so.6': [],
  'libformw.so.6': [],
  'libgcc_s.so.1': ['GCC_14.0.0'],
  'libgcrypt.so.20': ['GCRYPT_1.6'],
  'libgio-2.0.so.0': [],
  'libgirepository-1.0.so.1': [],
  'libgirepository-2.0.so.0': [],
  'libglib-2.0.so.0': [],
  'libgmodule-2.0.so.0': [],
  'libgmp.so.10': [],
  'libgobject-2.0.so.0': [],
  'libgpg-error.so.0': ['GPG_ERROR_1.0'],
  'libgpgme.so.11': [],
  'libgssapi_krb5.so.2': ['gssapi_krb5_2_MIT'],
  'libgssrpc.so.4': [],
  'libgthread-2.0.so.0': [],
  'libhistory.so.8': [],
  'libidn2.so.0': ['IDN2_2.1.0'],
  'libjson-c.so.5': [],
  'libk5crypto.so.3': ['k5crypto_3_MIT'],
  'libkdb5.so.10': [],
  'libkeyutils.so.1': ['KEYUTILS_1.10'],
  'libkrad.so.0': [],
  'libkrb5.so.3': ['krb5_3_MIT'],
  'libkrb5support.so.0': ['krb5support_0_MIT'],
  'liblz4.so.1': [],
  'liblzma.so.5': ['XZ_5.2'],
  'libmagic.so.1': [],
  'libmenu.so.6': [],
  'libmenuw.so.6': [],
  'libmodulemd.so.2': [],
  'libmount.so.1': [],
  'libmpfr.so.6': [],
  'libncurses.so.6': [],
  'libncursesw.so.6': [],
  'libnghttp2.so.14': [],
  'libnpth.so.0': [],
  'libp11-kit.so.0': [],
  'libpanel.so.6': [],
  'libpanelw.so.6': [],
  'libpcre2-8.so.0': [],
  'libpcre2-posix.so.3': [],
  'libpeas-1.0.so.0': [],
  'libpopt.so.0': [],
  'libpsl.so.5': [],
  'libpsx.so.2': [],
  'libreadline.so.8': [],
  'librepo.so.0': [],
  'librpm.so.9': [],
  'librpmio.so.9': [],
  'libselinux.so.1': [],
  'libsepol.so.2': [],
  'libsigsegv.so.2': [],
  'libsmartcols.so.1': [],
  'libsolv.so.1': [],
  'libsolvext.so.1': [],
  'libsqlite3.so.0': [],
  'libssl.so.3': ['OPENSSL_3.2.0'],
  'libstdc++.so.6': ['GLIBCXX_3.4.33', 'CXXABI_1.3.15'],
  'libtasn1.so.6': [],
  'libtic.so.6': [],
  'libtinfo.so.6': [],
  'libunistring.so.2': [],
  'libuuid.so.1': ['UUID_1.0'],
  'libverto.so.1': [],
  'libxml2.so.2': ['LIBXML2_2.9.11'],
  'libyaml-0.so.2': [],
  'libz.so.1': ['ZLIB_1.2.9'],
  'libzstd.so.1': [],
};

/** Whether Amazon Linux 2023 has `library` in all of `versions` (`OPENSSL_3.0.0`). */
export function isInAmazonLinux2023(library: string, versions: readonly string[]): boolean {
  const defined = Object.hasOwn(LIBRARIES, library) ? LIBRARIES[library] : undefined;
  return (
    defined?.length !== undefined && versions.every((version) => defined.some((newest) => includes(newest, version)))
  );
}

/** A library that defines OPENSSL_3.2.0 also defines OPENSSL_3.0.0. */
function includes(newest: string, version: string): boolean {
  const [, kind, number = ''] = /^(.*?_?)(\d+(?:\.\d+)+)$/.exec(newest) ?? [];
  const [, otherKind, other = ''] = /^(.*?_?)(\d+(?:\.\d+)+)$/.exec(version) ?? [];
  if (kind === undefined || otherKind === undefined) return newest === version;
  return kind === otherKind && compareVersions(other, number) <= 0;
}
