# Stands in for the official broker image where no image can be pulled: the same server, with the shell and the tools
# that compose.yaml uses.
FROM scratch
COPY busybox /bin/sh
COPY busybox /bin/mv
COPY busybox /bin/rm
COPY busybox /usr/bin/head
COPY busybox /usr/bin/nc
COPY nats-server /usr/local/bin/nats-server
ENTRYPOINT ["/usr/local/bin/nats-server"]
