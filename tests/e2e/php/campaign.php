<?php
// Sends a campaign as MailWizz does with Symfony Mailer:
// php campaign.php HOST PORT LOGIN PASSWORD FROM CAMPAIGN MESSAGES_PER_CONNECTION < recipients
// A line of standard input is "ADDRESS SUBSCRIBER"; "-" for the subscriber sends a message without
// campaign headers. MailWizz's default is one message per connection.
// Prints a JSON object a line: {"to": ..., "code": 250, "text": "..."}; code 0: no reply.

require_once 'Symfony/Component/Mailer/autoload.php';

use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

[, $host, $port, $login, $password, $from, $campaign, $per_connection] = $argv;

const HTML = "<html><body><p>Bonjour, merci de votre fidélité. شكراً لكم.</p></body></html>";

function message(string $from, string $to, string $campaign, string $subscriber): Email
{
    $email = (new Email())->from(new Address($from, "L'équipe Acme"))->to($to);
    if ($subscriber === '-') {
        return $email->subject('Confirmez votre adresse')->text('Cliquez ici.');
    }
    $base = 'https://mailwizz.acme.example';
    $headers = $email->getHeaders();
    $headers->addTextHeader('Feedback-ID', "$campaign:$subscriber:li482ptq10cd5:cu101abc77de1");
    $headers->addTextHeader('List-Id', 'li482ptq10cd5 <acme.example>');
    $headers->addTextHeader(
        'List-Unsubscribe',
        "<$base/lists/li482ptq10cd5/unsubscribe/$subscriber/$campaign>"
    );
    $headers->addTextHeader('List-Unsubscribe-Post', 'List-Unsubscribe=One-Click');
    $headers->addTextHeader('Precedence', 'bulk');
    $headers->addTextHeader(
        'X-Report-Abuse',
        "$base/campaigns/$campaign/report-abuse/li482ptq10cd5/$subscriber"
    );
    return $email->subject("Soldes d'été")->html(HTML)->text('Bonjour, merci. شكراً لكم.');
}

$transport = null;
$sent = 0;
while (($line = fgets(STDIN)) !== false) {
    [$to, $subscriber] = explode(' ', trim($line));
    if ($transport === null || $sent % (int) $per_connection === 0) {
        $transport = null;  // its destructor says QUIT
        $transport = new EsmtpTransport($host, (int) $port, false);
        $transport->setUsername($login)->setPassword($password);
    }
    $sent++;
    try {
        $done = $transport->send(message($from, $to, $campaign, $subscriber));
        preg_match_all('/< (\d{3}) ([^\r\n]*)/', $done->getDebug(), $replies, PREG_SET_ORDER);
        $last = end($replies);
        $answer = ['to' => $to, 'code' => (int) $last[1], 'text' => $last[2]];
    } catch (Symfony\Component\Mailer\Exception\TransportExceptionInterface $error) {
        $answer = ['to' => $to, 'code' => $error->getCode(), 'text' => $error->getMessage()];
    }
    echo json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
