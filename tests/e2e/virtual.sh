# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of lib.sh and machine.sh, and for the scripts that source this
# A virtual machine: a distribution's own kernel and systemd, with control groups of its own, whatever the host
# has. Sourced after machine.sh, whose in_machine it replaces. Its network ends at its own card: nothing is
# connected to it. Without a KVM that works it is emulated, and everything is given $patience times as long.
#
#   vm_make                  makes its disk: the root <toolchain>-vm with its kernel, systemd and MariaDB; what is
#                            put below $machine before vm_start is on it
#   vm_start                 boots it; $patience is set
#   in_machine COMMAND...    runs it there, as root
#   vm_reboot                by its own systemd
#   vm_power_cut             as it is, at once; vm_start starts it again

# The distribution's kernel for virtual machines.
vm_kernel_package() {
    case $toolchain in
        bookworm | trixie) echo linux-image-cloud-amd64 ;;
        *) echo linux-image-virtual ;;
    esac
}

vm_make() {
    command -v qemu-system-x86_64 >/dev/null || fail 'there is no QEMU: sh tools/bootstrap.sh long'
    vm=$work/vm
    mkdir -p "$vm"
    machine_root "$toolchain-vm" systemd-sysv dbus mariadb-server initramfs-tools zstd "$(vm_kernel_package)"
    x_machine_disk "$toolchain-vm" "$vm"
    for x_boot in vmlinuz initrd.img; do
        # Of several kernels the newest.
        x_newest=$(find "$machine/boot" -name "$x_boot-*" | sort -V | tail -n 1)
        [ -n "$x_newest" ] || fail "the root $toolchain-vm has no $x_boot"
        cp "$x_newest" "$vm/$x_boot"
    done
    cp "$repository/tests/e2e/vm_agent.pl" "$machine/usr/local/sbin/vm_agent.pl"
    cat >"$machine/etc/systemd/system/vm-agent.service" <<'UNIT'
[Unit]
Description=Commands of the test
After=basic.target
[Service]
ExecStart=/usr/bin/perl /usr/local/sbin/vm_agent.pl serve /dev/virtio-ports/vm
Restart=always
RestartSec=1
StartLimitIntervalSec=0
[Install]
WantedBy=multi-user.target
UNIT
    cat >"$machine/etc/systemd/network/card.network" <<UNIT
[Match]
Type=ether
[Network]
Address=$machine_address/24
LinkLocalAddressing=no
UNIT
    mkdir -p "$machine/etc/systemd/system/multi-user.target.wants"
    ln -s ../vm-agent.service "$machine/etc/systemd/system/multi-user.target.wants/"
    chroot "$machine" systemctl enable systemd-networkd >"$work/enable.log" 2>&1 ||
        { cat "$work/enable.log"; fail 'systemd-networkd cannot be enabled'; }
}

vm_start() {
    if [ ! -e "$vm/disk" ]; then
        # Room for what is installed, for a database and for what jobs write.
        truncate -s 4G "$vm/disk"
        mkfs.ext4 -q -F -E lazy_itable_init=0 -d "$machine" "$vm/disk"
        umount "$x_mounted"
    fi
    [ -n "${x_accelerator:-}" ] || x_choose_accelerator
    x_boots=$((${x_boots:-0} + 1))
    # Nested KVM may offer the arch-capabilities of its host's processor and then refuse to set them.
    qemu-system-x86_64 -accel "$x_accelerator" -machine q35 -cpu max,arch-capabilities=off -smp 2 -m 2048 -nodefaults -no-user-config \
        -display none -sandbox on -kernel "$vm/vmlinuz" -initrd "$vm/initrd.img" \
        -append "root=/dev/vda rw console=ttyS0 panic=-1" \
        -drive "file=$vm/disk,format=raw,if=virtio,cache=unsafe" -nic hubport,hubid=0,model=virtio-net-pci \
        -serial "file:$vm/console.$x_boots.log" -device virtio-serial \
        -chardev "socket,id=vm,path=$vm/socket,server=on,wait=off" -device virtserialport,chardev=vm,name=vm \
        >"$vm/qemu.log" 2>&1 </dev/null &
    x_qemu=$!
    keep_pid "$x_qemu"
    show_logs_of "$vm"
    x_wait_for_boot
}
# /dev/kvm may be there and good for nothing: refused to a container, or itself made by software, which takes
# minutes for what an emulator does in seconds. So the kernel is asked to say its first words by it.
x_choose_accelerator() {
    patience=1
    x_accelerator=kvm
    qemu-system-x86_64 -accel kvm -machine q35 -cpu max,arch-capabilities=off -m 512 -nodefaults -no-user-config \
        -display none -sandbox on -no-reboot -kernel "$vm/vmlinuz" -append 'earlyprintk=ttyS0 console=ttyS0 panic=-1' \
        -serial "file:$work/kvm.console" >"$work/kvm.log" 2>&1 </dev/null &
    x_qemu=$!
    keep_pid "$x_qemu"
    x_tries=0
    until grep -q 'Linux version' "$work/kvm.console" 2>/dev/null; do
        if [ "$x_tries" -ge 100 ] || ! alive "$x_qemu"; then
            patience=5
            x_accelerator=tcg
            say 'no KVM here that is worth it: the machine is emulated'
            break
        fi
        sleep 0.1
        x_tries=$((x_tries + 1))
    done
    end_pid "$x_qemu" KILL
}
x_wait_for_boot() {
    wait_for $((120 * patience)) 'the virtual machine to have booted' x_vm_has_booted
    alive "$x_qemu" || { cat "$vm/qemu.log"; fail 'QEMU has ended'; }
}
x_vm_has_booted() {
    alive "$x_qemu" || return 0
    x_is=$(x_ask 5 systemctl is-system-running) || x_code=$?  # says "degraded" by its code, too
    case $x_is in running | degraded) ;; *) return 1 ;; esac
}
x_ask() { x_seconds=$1 && shift && perl "$repository/tests/e2e/vm_agent.pl" run "$vm/socket" "$x_seconds" "$@"; }

in_machine() { x_ask $((600 * patience)) "$@"; }
vm_reboot() {
    x_boot_id=$(in_machine cat /proc/sys/kernel/random/boot_id)
    in_machine systemctl --no-block reboot
    wait_for $((180 * patience)) 'another boot' x_is_another_boot
    x_wait_for_boot
}
x_is_another_boot() { x_now=$(x_ask 5 cat /proc/sys/kernel/random/boot_id) && [ -n "$x_now" ] && [ "$x_now" != "$x_boot_id" ]; }
vm_power_cut() { end_pid "$x_qemu" KILL; }
