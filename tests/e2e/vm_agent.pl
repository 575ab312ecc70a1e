# SPDX-License-Identifier: Apache-2.0
# What a virtual machine of ours and its host say to each other, both ends of it; with essential packages' Perl.
#
#   vm_agent.pl serve PORT               inside: runs commands as they come, one after another
#   vm_agent.pl run SOCKET SECONDS COMMAND...
#                                        outside: runs one there; its outputs and exit code are ours. 124: no answer
#
# One line asks: a number, the words in hex; one line answers: the number, the exit code, both outputs in
# hex. The number tells an answer from that to somebody who no longer waits.
use strict;
use warnings;
use Fcntl;

sub read_line {
    my ($from, $rest) = @_;
    my $end;
    while (($end = index $$rest, "\n") < 0) {
        my $got = sysread($from, $$rest, 65536, length $$rest);
        return if !defined $got || ($got == 0 && -S $from);
        select(undef, undef, undef, 0.05) if $got == 0;  # nobody is at the other end now
    }
    my $line = substr $$rest, 0, $end;
    substr($$rest, 0, $end + 1) = '';
    return $line;
}
sub write_all {
    my ($to, $text) = @_;
    while (length $text) {
        my $put = syswrite($to, $text) or die "cannot write: $!\n";
        substr($text, 0, $put) = '';
    }
}
sub contents {
    my ($file) = @_;
    seek $file, 0, 0;
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

sub answer {
    my (@words) = @_;
    open my $out, '+>', undef or die "no file: $!\n";
    open my $err, '+>', undef or die "no file: $!\n";
    my $pid = fork;
    die "cannot fork: $!\n" if !defined $pid;
    if ($pid == 0) {
        %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', HOME => '/root', LC_ALL => 'C.UTF-8');
        chdir '/';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $out;
        open STDERR, '>&', $err;
        exec { $words[0] } @words or print STDERR "$words[0]: $!\n";
        exit 127;
    }
    waitpid $pid, 0;
    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    return join ' ', $code, map { 'x' . unpack 'H*', contents($_) } $out, $err;
}

sub serve {
    my ($port) = @_;
    sysopen my $line, $port, O_RDWR or die "$port: $!\n";
    my $rest = '';
    while (1) {
        my $asked = read_line($line, \$rest);
        die "$port: $!\n" if !defined $asked;
        my ($number, @words) = split / /, $asked;
        next if !@words;
        write_all($line, "$number " . answer(map { pack 'H*', substr $_, 1 } @words) . "\n");
    }
}

sub run {
    my ($socket, $seconds, @words) = @_;
    require IO::Socket::UNIX;
    local $SIG{ALRM} = sub { print STDERR "no answer within $seconds s: @words\n"; exit 124 };
    alarm $seconds;
    my $line = IO::Socket::UNIX->new(Peer => $socket);
    if (!$line) { print STDERR "$socket: $!\n"; exit 124; }
    my $number = "$$." . time;
    write_all($line, "\n" . join(' ', $number, map { 'x' . unpack 'H*', $_ } @words) . "\n");
    my $rest = '';
    while (defined(my $answered = read_line($line, \$rest))) {
        my ($whose, $code, $out, $err) = split / /, $answered;
        next if !defined $err || $whose ne $number;
        write_all(\*STDOUT, pack 'H*', substr $out, 1);
        write_all(\*STDERR, pack 'H*', substr $err, 1);
        exit $code;
    }
    print STDERR "the machine has hung up: @words\n";
    exit 124;
}

my $mode = shift @ARGV;
$mode eq 'serve' ? serve(@ARGV) : run(@ARGV);
