#!/usr/bin/env bash
# Lets SOAP stacks that are not ours take the sandbox for the provider, from its WSDL alone: PHP's SoapClient,
# Python's zeep and suds, Java's JAX-WS. Debian has them as php-cli, php-soap, python3-zeep, python3-suds and jaxws (with a JDK).
#
#     test/conformance/run.sh
#
# Prints "N passed, N failed" for each stack, and exits non-zero if a check fails, or, with CI=true, if a
# stack is not installed. SEQRFLOW names a program that is built already; PYTHON another Python than Debian's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}
work=$(mktemp -d)
export PYTHONDONTWRITEBYTECODE=1

sandbox=
finish() {
	trap - EXIT
	if [[ -n $sandbox ]]; then
		kill -TERM "$sandbox" 2>/dev/null || true
		wait "$sandbox" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' INT TERM

program=${SEQRFLOW:-$work/seqrflow}
if [[ -z ${SEQRFLOW:-} ]]; then (cd "$here/../.." && go build -o "$program" ./cmd/seqrflow); fi

# The sandbox picks a free port, and says in its greeting which: no guess, and nothing to wait for but that line.
mkfifo "$work/greeting"
"$program" sandbox --listen 127.0.0.1:0 --clock manual --log-level error >"$work/greeting" 2>"$work/log" &
sandbox=$!
wsdl=
exec 3<"$work/greeting"
while read -r -t 30 -u 3 word address _; do
	if [[ $word == WSDL ]]; then wsdl=$address && break; fi
done
if [[ -z $wsdl ]]; then
	echo "the sandbox did not start:" >&2
	cat "$work/log" >&2
	exit 1
fi
cat <&3 >"$work/rest" & # so that the sandbox can go on talking

failed=0
# stack NAME PACKAGES PROBE COMMAND...: runs the command if the probe says that the stack is here.
stack() {
	local name=$1 packages=$2 probe=$3
	shift 3
	echo "== $name"
	if ! eval "$probe" >/dev/null 2>&1; then
		echo "!!!! $name IS NOT INSTALLED, NOTHING WAS CHECKED WITH IT: apt-get install $packages" >&2
		if [[ ${CI:-} == true ]]; then failed=1; fi
		return
	fi
	"$@" "$wsdl" || failed=1
}

stack "PHP SoapClient" "php-cli php-soap" "php -r 'exit(class_exists(\"SoapClient\") ? 0 : 1);'" php "$here/conform.php"
stack "Python zeep" "python3-zeep" "'$python' -c 'import zeep'" "$python" "$here/conform_zeep.py"
stack "Python suds" "python3-suds" "'$python' -c 'import suds'" "$python" "$here/conform_suds.py"

# jaxws WSDL-URL: compiles a client against the classes that wsimport makes of the WSDL.
jaxws() {
	local jars=()
	for jar in jaxws-rt jaxws-api jaxb-api jaxb-runtime jaxb-core javax.activation jws-api saaj-impl streambuffer stax-ex stax2-api \
		mimepull metro-policy gmbal FastInfoset woodstox-core management-api ha-api istack-commons-runtime txw2 pfl-basic pfl-tf jaxws-ri-runtime; do
		if [[ -e /usr/share/java/$jar.jar ]]; then jars+=("/usr/share/java/$jar.jar"); fi
	done
	local path
	path="$work/java:$(IFS=:; echo "${jars[*]}")"
	mkdir -p "$work/java"
	wsimport -quiet -keep -Xnocompile -d "$work/java" "$1" &&
		find "$work/java" -name '*.java' >"$work/sources" &&
		javac -nowarn -encoding UTF-8 -cp "$path" -d "$work/java" "@$work/sources" "$here/Conform.java" &&
		java -Djavax.xml.soap.SAAJMetaFactory=com.sun.xml.messaging.saaj.soap.SAAJMetaFactoryImpl -cp "$path" Conform "$1"
}

stack "Java JAX-WS" "jaxws default-jdk-headless" "command -v wsimport && command -v javac" jaxws
exit "$failed"
