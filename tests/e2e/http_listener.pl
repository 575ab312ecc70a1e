# SPDX-License-Identifier: Apache-2.0
# Takes what is posted to it, in place of Elasticsearch and InfluxDB; with essential packages' Perl.
#
#   http_listener.pl PORT FILE    on the loopback address; each request is appended to FILE: a line
#                                 with method and path, then the body as it came
#
# Answers 201 as Elasticsearch does, and 204 to /write as InfluxDB does; 400 to anything but a POST.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $file) = @ARGV;
open my $kept, '>>', $file or die "$file: $!\n";
my $listener = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1',
    LocalPort => $port,
    Listen    => 16,
    ReuseAddr => 1
) or die "port $port: $!\n";

# The request's first line and its body, or nothing.
sub request {
    my ($client) = @_;
    my ($first, $length) = ('', 0);
    while (defined(my $line = <$client>)) {
        $line =~ s/\r?\n\z//;
        if ($line eq '') {
            my $body = '';
            while (length $body < $length) {
                read($client, $body, $length - length $body, length $body) or return;
            }
            return $first =~ m{\A(POST /\S*) HTTP/1\.[01]\z} ? ($1, $body) : ();
        }
        $first = $line if $first eq '';
        $length = $1 if $line =~ /\Acontent-length: *(\d+) *\z/i;
    }
    return;
}

while (my $client = $listener->accept) {
    my ($asked, $body) = request($client);
    my ($status, $said) = ('201 Created', '{"result":"created"}');
    if (!defined $asked) {
        ($status, $said) = ('400 Bad Request', '');
    } else {
        syswrite $kept, "$asked\n$body\n";
        ($status, $said) = ('204 No Content', '') if $asked =~ m{ /write\?};
    }
    my $length = $status =~ /^204/ ? '' : 'Content-Length: ' . length($said) . "\r\n";
    print $client "HTTP/1.1 $status\r\n${length}Connection: close\r\n\r\n$said";
    close $client;
}
