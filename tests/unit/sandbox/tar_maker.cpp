// SPDX-License-Identifier: Apache-2.0
#include "unit/sandbox/tar_maker.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <stdexcept>

namespace sf::sandbox {

void write_tar(const base::fs::path& file, const std::vector<TarEntry>& entries) {
    archive* out = archive_write_new();
    archive_write_set_format_gnutar(out);
    if (archive_write_open_filename(out, file.c_str()) != ARCHIVE_OK)
        throw std::runtime_error("cannot write " + file.string());
    for (const auto& each : entries) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, each.path.c_str());
        archive_entry_set_perm(entry, each.mode);
        archive_entry_set_mtime(entry, each.mtime, 0);
        archive_entry_set_uid(entry, each.uid);
        archive_entry_set_gid(entry, each.uid);
        switch (each.type) {
            case 'd': archive_entry_set_filetype(entry, AE_IFDIR); break;
            case 'l':
                archive_entry_set_filetype(entry, AE_IFLNK);
                archive_entry_set_symlink(entry, each.content.c_str());
                break;
            case 'h':
                archive_entry_set_filetype(entry, AE_IFREG);
                archive_entry_set_hardlink(entry, each.content.c_str());
                break;
            case 'c':
                archive_entry_set_filetype(entry, AE_IFCHR);
                archive_entry_set_rdevmajor(entry, 1);
                archive_entry_set_rdevminor(entry, 3);
                break;
            case 'p': archive_entry_set_filetype(entry, AE_IFIFO); break;
            default:
                archive_entry_set_filetype(entry, AE_IFREG);
                archive_entry_set_size(entry, static_cast<la_int64_t>(each.content.size()));
        }
        if (archive_write_header(out, entry) != ARCHIVE_OK)
            throw std::runtime_error(archive_error_string(out));
        if (each.type == 'f') archive_write_data(out, each.content.data(), each.content.size());
        archive_entry_free(entry);
    }
    archive_write_close(out);
    archive_write_free(out);
}

std::vector<TarEntry> tiny_root() {
    return {
        {"./", 'd', "", 0755},
        {"./bin", 'l', "usr/bin", 0777},
        {"./dev/", 'd', "", 0755},
        {"./dev/null", 'c', "", 0666},
        {"./etc/", 'd', "", 0755},
        {"./etc/apt/sources.list", 'f',
         "deb [signed-by=/home/me/k.gpg arch=amd64] http://one.example/d tiny main\n\n"
         "deb http://two.example/d tiny main\n\n"},
        {"./etc/group", 'f', "root:x:0:\n"},
        {"./etc/hostname", 'f', "maker.example\n"},
        {"./etc/passwd", 'f', "root:x:0:0:root:/root:/bin/bash\n"},
        {"./etc/passwd-", 'f', "old\n"},
        {"./etc/resolv.conf", 'f', "nameserver 192.0.2.1\n"},
        {"./etc/shadow", 'f', "root:*:1::::::\n", 0, 1500000000, 0},
        {"./lib64", 'l', "usr/lib64", 0777},
        {"./root/", 'd', "", 0700},
        {"./run/pipe", 'p', "", 0644},
        {"./tmp/", 'd', "", 01777},
        {"./tmp/left", 'f', "x"},
        {"./usr/", 'd', "", 0755},
        {"./usr/bin/", 'd', "", 0755},
        {"./usr/bin/perl", 'f', "#!perl", 0755, 1900000000},
        {"./usr/bin/perl5", 'h', "./usr/bin/perl"},
        {"./usr/bin/su", 'f', "su", 04755},
        {"./usr/lib64/", 'd', "", 0755},
        // Certificates have names like this one.
        {"./usr/share/ca/F\xc5\x91tan\xc3\xba.crt", 'f', "c"},
        {"./usr/share/doc/a/changelog", 'f', "long"},
        {"./usr/share/doc/a/copyright", 'f', "short"},
        {"./usr/share/locale/de/a.mo", 'f', "x"},
        {"./usr/share/man/man1/a.1.gz", 'f', "x"},
        {"./var/cache/apt/pkgcache.bin", 'f', "x"},
        {"./var/lib/dpkg/status", 'f',
         "Package: gcc\nStatus: install ok installed\nVersion: 4:12.2.0-3\n\n"
         "Package: gcc-12\nStatus: install ok installed\nVersion: 12.2.0-14\nDescription: x\n"
         " Package: trick\n\n"
         "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
         "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n"},
        {"./var/log/dpkg.log", 'f', "x"},
        {"./var/mail/", 'd', "", 02775, 1500000000, 8},
    };
}

}  // namespace sf::sandbox
