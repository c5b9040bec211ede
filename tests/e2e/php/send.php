<?php
// Sends messages as MailWizz's mailers do: php send.php CLIENT HOST PORT LOGIN PASSWORD FROM TO COUNT
// CLIENT is symfony, swift or phpmailer. One connection a message, as MailWizz's default.
// Prints one JSON object a line: {"ok": true} or {"ok": false, "error": "..."}.

[, $client, $host, $port, $login, $password, $from, $to, $count] = $argv;

const SUBJECT = 'Café à 5 € – مرحبا بالعالم – 你好';
const TEXT = ".a line that begins with a dot\n..and one with two\n.\nÀ bientôt\n"
    . "مرحبا، هذه رسالة من اليمين إلى اليسار\nשלום\nlast line";
const HTML = "<html><body dir=\"rtl\"><p>مرحبا</p>\n.dot\n<p>café</p></body></html>";
const SPOOFED = ['X-Virtual-MTA' => 'stolen', 'X-Job' => 'stolen', 'x-envid' => 'stolen'];

function with_symfony(string $host, int $port, string $login, string $password): callable
{
    require_once 'Symfony/Component/Mailer/autoload.php';
    return function (string $from, string $to) use ($host, $port, $login, $password): void {
        $transport = new Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport($host, $port, false);
        $transport->setUsername($login)->setPassword($password);
        $email = (new Symfony\Component\Mime\Email())
            ->from(new Symfony\Component\Mime\Address($from, 'Émile, Ltd'))
            ->to($to)->subject(SUBJECT)->text(TEXT)->html(HTML);
        foreach (SPOOFED as $name => $value) {
            $email->getHeaders()->addTextHeader($name, $value);
        }
        (new Symfony\Component\Mailer\Mailer($transport))->send($email);
        unset($transport);  // its destructor says QUIT
    };
}

function with_swift(string $host, int $port, string $login, string $password): callable
{
    require_once 'Swift/autoload.php';
    return function (string $from, string $to) use ($host, $port, $login, $password): void {
        $transport = (new Swift_SmtpTransport($host, $port))
            ->setUsername($login)->setPassword($password)->setTimeout(30);
        $message = (new Swift_Message(SUBJECT))
            ->setFrom([$from => 'Émile, Ltd'])->setTo([$to])
            ->setBody(HTML, 'text/html')->addPart(TEXT, 'text/plain');
        // 8bit content, as a customer may choose: octets above 127 go over the wire.
        $message->setEncoder(new Swift_Mime_ContentEncoder_PlainContentEncoder('8bit', true));
        foreach (SPOOFED as $name => $value) {
            $message->getHeaders()->addTextHeader($name, $value);
        }
        (new Swift_Mailer($transport))->send($message);
        $transport->stop();
    };
}

function with_phpmailer(string $host, int $port, string $login, string $password): callable
{
    require_once 'libphp-phpmailer/autoload.php';
    return function (string $from, string $to) use ($host, $port, $login, $password): void {
        $mail = new PHPMailer\PHPMailer\PHPMailer(true);
        $mail->isSMTP();
        $mail->Host = $host;
        $mail->Port = $port;
        $mail->SMTPAuth = true;
        $mail->SMTPAutoTLS = false;
        $mail->Username = $login;
        $mail->Password = $password;
        $mail->CharSet = 'UTF-8';
        $mail->Encoding = '8bit';
        $mail->setFrom($from, 'Émile, Ltd');
        $mail->addAddress($to);
        $mail->Subject = SUBJECT;
        $mail->isHTML(true);
        $mail->Body = HTML;
        $mail->AltBody = TEXT;
        foreach (SPOOFED as $name => $value) {
            $mail->addCustomHeader($name, $value);
        }
        $mail->send();
        $mail->smtpClose();
    };
}

$send = ("with_$client")($host, (int) $port, $login, $password);
for ($number = 0; $number < (int) $count; $number++) {
    try {
        $send($from, $to);
        echo json_encode(['ok' => true]), "\n";
    } catch (Exception $error) {
        echo json_encode(['ok' => false, 'error' => $error->getMessage()]), "\n";
    }
}
