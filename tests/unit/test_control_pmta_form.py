"""The forms of PowerMTA's directives, and that they are judged as the stand-in judges them."""

import pytest

from control.pmta.directive import rows
from control.pmta.form import form
from loadtest.pmta.form import refusal

SAMPLES = r"""
yes
NO
maybe
0
1
10M
10
999K
1M
10MB
65536
101
unlimited
Never
auto
1d12h
1w2d
11m
12
1x
100/h
100/15m
0/h
5/hour
1024K/15s
50/day
50/day,100/d
10.0.0.0/8
10/8
0/0
192.0.2.1
2001:db8::1
10.0.0.300
192.0.2.0/33
192.0.2.1 mail.example
mail.example 192.0.2.1
10/8 mail.example
192.0.2.1 192.0.2.2
mail.example
mail..example
a b
a,b
a, b
"a"
"a b"
"a,b"
*
*.example.com
[*.]example.com
[10.0.0.0/8]
aol.$tld
$hotmail
*.$tld
{default}
{auth}
{nobody}
{sparkpost}
"hotmail.queue"
a@b.example
"a@b.example, c@d.example"
@b.example
*@b.example
/a b/
/half
/a b/ virtual-mta=v
/a/ virtual-mta=v, recipient-priority=100
/a/ recipient-priority=101
/a/ call-to: l
/a/ <pattern-list>
x-tag /a b/ virtual-mta=v
/a/ mode=backoff
/a/ mode=backoff,mode=normal
/a/ skip-mx,bounce-queue
/a/ mode=backoff,disable-source-ip,reenable-after=1h
/a/ reenable-after=1h
/a/ disable-source-ip,reenable-after=1h,reenable-after=2h
/a/ mode=slow
/a/ mode=backoff,backoff-to-normal-after=10m
/a/ quota-issues
// other
d
D
d,b
d, b
all
tq
delivery, bounce
d rcpt,!orcpt
d *,header_Message-Id
d nonsense
b header_x-foo rcpt
tq header_x-foo rcpt
fbl header_X-HmXmrOriginalRecipient rcpt
a.com/v1,![*.]b.com/*,!*/v3
siphash "secret"
redact
/var/log/a.csv
c:\pmta\spool
"c:\my stuff\a.csv"
log\a.csv

|/bin/a --b
"|/bin/a --b"
s,*,/k.pem
s, d.example, /k.pem
s,d.example
0.0.0.0:25
0/0:2525
[2001:db8::1]:25
0.0.0.0:65536
0.0.0.0:25 source=s
0.0.0.0:25 tls=no
proxy.example:5000
16.70.55.233:0 client.example
16.70.55.233 client.example
{
0/0 none
0/0 monitor,deny-logs
0/0 write
monitor 0/0
""
8d
http://h.example/a
https://[2001:db8::1]:8181/api/v1
ftp://h.example/
*.example.com 5
*.example.com o.rollup rollup-by-ip
*.example.com o.rolled
10/8 5
10/8 100/h
m .com,$x
topLevel com, de, co.uk
m "a.example, b.example"
abcd_0123_abcd_0123_abcd_0123_ab
0123456789abcdef012345678901234567890123
true,subaccount=5
*.a.example enable-signals,subaccount=3
*.a.example disable-signals,subaccount=3
<> a@b.example
foo@* *@bar.example
*@* <>
a@b.example c@d.example,e@f.example
jdoe someone@b.example
h1.example, h2.example; [10.1.1.1]:2525; last.example
lookup-mx:example.com
[IPv6:2001::1]
foo, /bar/
/foo/, /bar, baz/
X-One, X-Two
@esp.example
"Postmaster <a@b.example>"
"/my/processor --envid \"$envid\""
HIGH:!ADH:@STRENGTH
""".strip("\n").split("\n")


@pytest.mark.parametrize("text", sorted({row.form for row in rows() if "." in row.section}))
def test_both_readers_of_the_format_judge_alike(text: str) -> None:
    differ = [
        (sample, ours, theirs)
        for sample in SAMPLES
        if (ours := form(text).fits(sample)) != (theirs := refusal(text, sample) is None)
    ]
    assert differ == []
